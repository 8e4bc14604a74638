"""Plays an answer while it is made, where there is a sound device. Without one, it says why and stays silent."""

import importlib
import threading
import time
from collections import deque
from typing import Any

import numpy as np

LATENCY = "high"  # the callback is Python: leave it time


class NoSound(RuntimeError):
    """There is nothing to play on; the message is a short reason."""


class Speaker:
    """A queue of samples that an output device empties. Raises NoSound when there is none."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate, self._queue, self._queued = sample_rate_hz, deque[np.ndarray](), 0
        self._lock = threading.Lock()
        self._stream = _open_stream(sample_rate_hz, self._fill)

    @property
    def latency_ms(self) -> float:
        """Time from handing a sample in to hearing it, as the device states it."""
        return float(self._stream.latency) * 1000

    @property
    def ahead_s(self) -> float:
        """How much is waiting to be heard."""
        return self._queued / self._rate

    def play(self, pcm: np.ndarray) -> None:
        """Queue float32 [S]; returns at once."""
        with self._lock:
            self._queue.append(pcm)
            self._queued += len(pcm)

    def stop(self) -> None:
        """Forget what was not heard yet."""
        with self._lock:
            self._queue.clear()
            self._queued = 0

    def wait(self, ahead_s: float, pause: Any) -> None:
        """Until at most `ahead_s` are waiting, or `pause.asked`."""
        while self.ahead_s > ahead_s and not pause.asked:
            time.sleep(0.01)

    def close(self) -> None:
        self._stream.close()

    def _fill(self, out: np.ndarray, frames: int, when: Any, status: Any) -> None:
        """The device wants [frames, 1] samples; silence where there are none."""
        out[:] = 0
        done = 0
        with self._lock:
            while done < frames and self._queue:
                part = self._queue[0][: frames - done]
                out[done : done + len(part), 0] = part
                done += len(part)
                rest = self._queue.popleft()[len(part) :]
                if len(rest):
                    self._queue.appendleft(rest)
            self._queued -= done


def _open_stream(sample_rate_hz: int, fill: Any) -> Any:
    try:
        device: Any = importlib.import_module("sounddevice")
    except ImportError:
        raise NoSound("the package sounddevice is not installed (pip install 'a2llm-serve[audio]')") from None
    except OSError:
        raise NoSound("the system has no PortAudio library") from None
    try:
        stream = device.OutputStream(samplerate=sample_rate_hz, channels=1, dtype="float32", latency=LATENCY, callback=fill)
        stream.start()
    except (device.PortAudioError, ValueError, OSError) as error:
        raise NoSound(" ".join(str(error).split()) or "no output device") from None
    return stream
