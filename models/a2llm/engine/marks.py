"""The moments of one response: the only clock in the engine. For metrics, never for what is computed."""

from time import perf_counter


class Marks:
    """Seconds of time.perf_counter at which a response got so far; None until then. Made when the response is asked for."""

    __slots__ = ("_admitted_s", "_first_audio_s", "_first_token_s", "_prefill_done_s")

    def __init__(self) -> None:
        self._admitted_s = perf_counter()
        self._prefill_done_s: float | None = None
        self._first_token_s: float | None = None
        self._first_audio_s: float | None = None

    @property
    def admitted_s(self) -> float:
        return self._admitted_s

    @property
    def prefill_done_s(self) -> float | None:
        return self._prefill_done_s

    @property
    def first_token_s(self) -> float | None:
        return self._first_token_s

    @property
    def first_audio_s(self) -> float | None:
        return self._first_audio_s

    def note_prefill_done(self) -> None:
        """Its prompt has been read."""
        self._prefill_done_s = perf_counter()

    def note_token(self) -> None:
        """A token was drawn; the first one counts."""
        if self._first_token_s is None:
            self._first_token_s = perf_counter()

    def note_audio(self) -> None:
        """Sound leaves; the first one counts."""
        if self._first_audio_s is None:
            self._first_audio_s = perf_counter()
