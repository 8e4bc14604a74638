"""Measures where the time goes: the engine's parts wrapped so that every call is timed, and playback against a clock.

The hot path stays as it is; only the objects it calls are replaced by ones that look at the clock.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from a2llm.engine import Parts

PARTS = ("backbone", "talker", "audio_codec", "motion_codec")
AUDIBLE_RMS = 10 ** (-45 / 20)  # full scale is 1
AUDIBLE_WINDOW_SAMPLES = 240


class Stopwatch:
    """Seconds and calls by part and method since the last reset."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self.first_return: dict[str, float] = {}  # perf_counter of each method's first return

    def timed(self, part: str, method: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """`call`, its time booked on `part`."""
        name = f"{part}.{method}"

        def run(*args: Any, **options: Any) -> Any:
            started = perf_counter()
            result = call(*args, **options)
            ended = perf_counter()
            self.seconds[part] += ended - started
            self.calls[name] += 1
            self.first_return.setdefault(name, ended)
            return result

        return run


class Timed:
    """Stands in for `inner`: the methods named are timed, everything else is passed on."""

    def __init__(self, inner: Any, watch: Stopwatch, part: str, methods: Iterable[str]) -> None:
        self._inner = inner
        for method in methods:
            setattr(self, method, watch.timed(part, method, getattr(inner, method)))
        self._call = watch.timed(part, "call", inner) if callable(inner) else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __call__(self, *args: Any) -> Any:
        assert self._call is not None
        return self._call(*args)


def timed_parts(parts: Parts, watch: Stopwatch) -> Parts:
    """The same parts, with a clock on each. The vocoder counts as the audio codec's; g2p is booked apart."""
    wrapped: dict[str, Any] = {
        "backbone": Timed(parts.backbone, watch, "backbone", ("forward", "logits")),
        "talker": Timed(parts.talker, watch, "talker", ("step", "durations")),
        "audio_codec": Timed(parts.audio_codec, watch, "audio_codec", ("synthesise",)),
        "vocoder": Timed(parts.vocoder, watch, "audio_codec", ("decode_many",)),
        "motion_codec": Timed(parts.motion_codec, watch, "motion_codec", ("decode_step",)),
        "g2p": Timed(parts.g2p, watch, "g2p", ()),
    }
    return replace(parts, **wrapped)


@dataclass(frozen=True)
class Playback:
    """underruns: packets that came after their time. stalled_ms: silence they caused."""

    underruns: int
    stalled_ms: float


def play(arrivals_s: Sequence[float], pts_samples: Sequence[int], sample_rate_hz: int, buffer_ms: float = 0.0) -> Playback:
    """Play packets from the arrival of the first one (plus a buffer): each is due when what came before it has been played."""
    if not arrivals_s:
        return Playback(0, 0.0)
    late, stalled, start = 0, 0.0, arrivals_s[0] + buffer_ms / 1000
    for arrival, pts in zip(arrivals_s, pts_samples, strict=True):
        wait = arrival - (start + pts / sample_rate_hz + stalled)
        if wait > 0:
            late, stalled = late + 1, stalled + wait
    return Playback(late, 1000 * stalled)


def audible_edges(pcm: np.ndarray, window: int = AUDIBLE_WINDOW_SAMPLES) -> tuple[int, int]:
    """First and one past the last audible sample of [S], to the window; (0, S) where nothing is."""
    frames = pcm[: len(pcm) // window * window].reshape(-1, window)
    loud = np.flatnonzero(np.sqrt(np.square(frames).mean(1)) > AUDIBLE_RMS)
    return (int(loud[0]) * window, (int(loud[-1]) + 1) * window) if len(loud) else (0, len(pcm))
