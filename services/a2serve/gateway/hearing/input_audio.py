"""The input audio buffer: the client's audio, cut into windows for the VAD, kept as utterances. No decisions."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from a2serve.contracts.media_clock import BYTES_PER_MS
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.hearing.caption import Caption
from a2serve.gateway.hearing.voice_activity import WINDOW_BYTES, WINDOW_MS

PREROLL_MS = 5_500  # longest prefix_padding_ms that may be asked for, and an onset
MIN_COMMIT_MS = 100


@dataclass(slots=True)
class Utterance:
    """Audio of one turn, as it grows. `sent_bytes`: how much of it inference has."""

    id: str
    start_input_ms: int
    pcm16: bytearray = field(default_factory=bytearray)
    sent_bytes: int = 0
    caption: Caption = field(default_factory=Caption)

    @property
    def duration_ms(self) -> int:
        """Duration of the audio so far."""
        return len(self.pcm16) // BYTES_PER_MS

    @property
    def unsent_ms(self) -> int:
        """Audio that inference has not got."""
        return (len(self.pcm16) - self.sent_bytes) // BYTES_PER_MS


@dataclass(frozen=True, slots=True)
class Window:
    """One VAD window: 32 ms of input."""

    pcm16: bytes
    start_input_ms: int
    end_input_ms: int


class InputBuffer:
    """Keeps the last seconds, and the utterance from where it began. `input_ms` counts everything appended."""

    def __init__(self, max_ms: int) -> None:
        self.utterance: Utterance | None = None
        self._max_bytes = max_ms * BYTES_PER_MS
        self._recent = bytearray()
        self._partial = bytearray()
        self._windows = 0
        self._taken_ms = 0  # what was committed or cleared: no later utterance may reach back before it

    @property
    def input_ms(self) -> int:
        """Whole windows appended since the session began."""
        return self._windows * WINDOW_MS

    def append(self, pcm16: bytes) -> Iterator[Window]:
        """Take audio; yields each whole window once it is in. Raises Problem (input_audio_buffer_full)."""
        if self.utterance and len(self.utterance.pcm16) + len(pcm16) > self._max_bytes:
            raise Problem(Code.INPUT_BUFFER_FULL, f"the buffer holds {self._max_bytes // BYTES_PER_MS // 1000} s; commit or clear it")
        self._partial += pcm16
        while len(self._partial) >= WINDOW_BYTES:
            window = bytes(self._partial[:WINDOW_BYTES])
            del self._partial[:WINDOW_BYTES]
            self._keep(window)
            self._windows += 1
            yield Window(window, self.input_ms - WINDOW_MS, self.input_ms)

    def begin(self, utterance_id: str, start_input_ms: int) -> Utterance:
        """An utterance began at `start_input_ms`, as far back as audio is kept and was not committed before."""
        oldest = self.input_ms - len(self._recent) // BYTES_PER_MS
        start = max(start_input_ms, oldest, self._taken_ms)
        back = (self.input_ms - start) * BYTES_PER_MS
        self.utterance = Utterance(utterance_id, start, bytearray(self._recent[len(self._recent) - back :] if back else b""))
        return self.utterance

    def take(self) -> Utterance | None:
        """The utterance so far, with the last part of a window; the buffer is empty afterwards."""
        taken, self.utterance = self.utterance, None
        if taken:
            taken.pcm16 += self._partial
        self._taken_ms = self.input_ms
        return taken

    def take_at_least(self, utterance_id: str) -> Utterance:
        """For a commit by the client. Raises Problem when there is less than 100 ms."""
        if self.utterance is None:
            self.begin(utterance_id, 0)
        assert self.utterance
        duration_ms = (len(self.utterance.pcm16) + len(self._partial)) / BYTES_PER_MS
        if duration_ms < MIN_COMMIT_MS:
            self.utterance = self.utterance if self.utterance.pcm16 else None
            detail = f"buffer too small: expected at least {MIN_COMMIT_MS} ms of audio, but it has {duration_ms:.2f} ms"
            raise Problem(Code.COMMIT_EMPTY, detail)
        taken = self.take()
        assert taken
        self._partial.clear()
        return taken

    def clear(self) -> None:
        """Forget everything that was not committed."""
        self.take()
        self._recent.clear()
        self._partial.clear()

    def _keep(self, window: bytes) -> None:
        self._recent += window
        del self._recent[: max(len(self._recent) - PREROLL_MS * BYTES_PER_MS, 0)]
        if self.utterance:
            self.utterance.pcm16 += window
