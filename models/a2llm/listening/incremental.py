"""Hearing while the user still speaks: finished parts are transcribed at pauses, so that only the tail is left at the end.

Two kinds of work happen at a pause. A part that is long enough is settled for good. A shorter one is read ahead: if the
user says no more, that reading is the answer and finish() costs nothing; if they go on, it is thrown away and the part
keeps its context, which matters for the words around a pause. glimpse() reads in mid-speech, for captions and barge-in.
"""

import time
from dataclasses import dataclass, field

import numpy as np

from a2llm.clock import EAR_RATE_HZ
from a2llm.listening.transcriber import LONGEST_PART_S, Transcriber, Transcript, join_transcripts, pause_cuts
from a2llm.listening.vad import SileroVad
from a2llm.vad_network import WINDOW_SAMPLES, VadState


@dataclass(frozen=True)
class PauseRule:
    """When a pause is one, and from which length on a part is settled at it."""

    threshold: float = 0.5
    pause_ms: float = 256.0
    settle_s: float = 4.0
    lead_in_windows: int = 10
    spoken_windows: int = 8  # of 32 ms: fewer behind a pause are no words


@dataclass
class _Part:
    """The sound that is not settled yet."""

    pcm: list[np.ndarray] = field(default_factory=list)
    speech: list[float] = field(default_factory=list)  # one per window
    spoke: bool = False
    ahead: Transcript | None = None  # of all of it
    latest: Transcript | None = None  # of its first `read_samples`
    read_samples: int = 0
    before: Transcript | None = None  # what was heard up to the last pause, `pause_samples` from the beginning
    pause_samples: int = 0

    def sound(self) -> np.ndarray:
        return np.concatenate(self.pcm) if self.pcm else np.zeros(0, np.float32)


class IncrementalTranscriber:
    """One turn of one user. feed() costs a reading only at pauses; call it beside the event loop, not in it."""

    def __init__(self, transcriber: Transcriber, vad: SileroVad, rule: PauseRule = PauseRule()) -> None:
        self._transcriber, self._vad, self._rule = transcriber, vad, rule
        self._vad_state = VadState()
        self._part = _Part()
        self._settled: list[Transcript] = []

    def feed(self, pcm: np.ndarray) -> str:
        """Take sound, float32 [S] at 16 kHz, of any amount; returns the text settled so far."""
        for start in range(0, len(pcm), WINDOW_SAMPLES):
            self._feed_window(pcm[start : start + WINDOW_SAMPLES])
        return self.settled

    @property
    def settled(self) -> str:
        """The words that no later sound can change."""
        return " ".join(part.text for part in self._settled if part.text)

    @property
    def unread_s(self) -> float:
        """Seconds of sound, since somebody began to speak, that running() knows nothing of."""
        part = self._part
        return (sum(map(len, part.pcm)) - part.read_samples) / EAR_RATE_HZ if part.spoke and part.ahead is None else 0.0

    @property
    def read_s(self) -> float:
        """Seconds of the unsettled sound that running() covers; a glimpse costs them again."""
        return self._part.read_samples / EAR_RATE_HZ

    def running(self) -> Transcript:
        """The words so far: those settled, and the latest reading of the rest."""
        latest = self._part.ahead or self._part.latest
        return join_transcripts([*self._settled, *([latest] if latest else [])], 0.0)

    def glimpse(self) -> None:
        """Read what is not settled now, in mid-speech; its last word may be half a word."""
        if self._part.spoke and self._part.ahead is None:
            self._read(self._part)

    def _read(self, part: _Part) -> Transcript:
        sound = part.sound()
        part.latest, part.read_samples = self._transcriber.transcribe(sound), len(sound)
        if part.before and self._spoke_on(part) and _words(part.latest) <= _words(part.before):
            part.latest = self._read_behind_pause(part.before, sound[part.pause_samples :])
        return part.latest

    def _spoke_on(self, part: _Part) -> bool:
        """Whether there was speech behind the last pause, and not only a cough."""
        behind = part.speech[part.pause_samples // WINDOW_SAMPLES :]
        return sum(speech >= self._rule.threshold for speech in behind) >= self._rule.spoken_windows

    def _read_behind_pause(self, before: Transcript, sound: np.ndarray) -> Transcript:
        """Whisper may take the end of a sentence for the end of the sound, and say no word of what follows: that is read by itself."""
        started = time.perf_counter()
        rest = self._transcriber.transcribe(sound)
        return join_transcripts([before, rest], (time.perf_counter() - started) * 1000)

    def finish(self) -> Transcript:
        """Read what is left and return the whole turn; compute_ms is the time spent here, after the last sample."""
        started = time.perf_counter()
        if self._part.ahead is None and self._part.spoke:
            self._part.ahead = self._read(self._part)
        parts = [*self._settled, *([self._part.ahead] if self._part.ahead else [])]
        self._part = _Part()
        return join_transcripts(parts, (time.perf_counter() - started) * 1000)

    def _feed_window(self, pcm: np.ndarray) -> None:
        part = self._part
        part.pcm.append(pcm.astype(np.float32))
        fresh = self._vad.step(self._vad_state, pcm)
        part.speech += fresh.tolist()
        if (fresh >= self._rule.threshold).any():
            if part.ahead:
                part.before, part.pause_samples = part.ahead, part.read_samples
            part.ahead, part.spoke = None, True
        if not part.spoke:
            self._forget_silence()
        elif len(fresh) and self._pausing():
            self._read_at_pause()
        elif len(part.speech) * WINDOW_SAMPLES >= LONGEST_PART_S * EAR_RATE_HZ:
            self._settle_long_part()

    def _forget_silence(self) -> None:
        """Before speech only a lead-in is kept, so an hour of silence costs no memory."""
        keep = self._rule.lead_in_windows
        sound = self._part.sound()[-keep * WINDOW_SAMPLES :]
        self._part = _Part([sound], self._part.speech[-keep:])

    def _pausing(self) -> bool:
        """Whether a pause has just become long enough and the part has not been read yet."""
        windows = round(self._rule.pause_ms * EAR_RATE_HZ / 1000 / WINDOW_SAMPLES)
        quiet = all(speech < self._rule.threshold for speech in self._part.speech[-windows:])
        return self._part.ahead is None and quiet

    def _read_at_pause(self) -> None:
        self._part.ahead = self._read(self._part)
        if self._part.read_samples >= self._rule.settle_s * EAR_RATE_HZ:
            self._settled.append(self._part.ahead)
            self._part = _Part()

    def _settle_long_part(self) -> None:
        """Nobody paused for 28 s: cut at the quietest place of the second half."""
        cuts = pause_cuts(np.asarray(self._part.speech), LONGEST_PART_S - 1)
        cut, sound = cuts[0], self._part.sound()
        self._settled.append(self._transcriber.transcribe(sound[: cut * WINDOW_SAMPLES]))
        speech = self._part.speech[cut:]
        self._part = _Part([sound[cut * WINDOW_SAMPLES :]], speech, spoke=max(speech) >= self._rule.threshold)


def _words(transcript: Transcript) -> int:
    return len(transcript.text.split())
