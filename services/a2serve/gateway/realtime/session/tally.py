"""Counts of a session: its responses, the client's changes of settings, and sound that is not on a bill yet."""

from collections.abc import Iterable


class SessionTally:
    """`updated` names the settings that the client changed, each once."""

    def __init__(self) -> None:
        self._turns, self._updates, self._updated = 0, 0, dict[str, None]()
        self._unbilled_audio_ms = 0

    @property
    def turns(self) -> int:
        """Number of responses that have ended."""
        return self._turns

    @property
    def updates(self) -> int:
        """How often the client changed settings."""
        return self._updates

    @property
    def updated(self) -> tuple[str, ...]:
        """Settings that the client has changed."""
        return tuple(self._updated)

    def turn_ended(self) -> None:
        """Counts one more response that has ended."""
        self._turns += 1

    def settings_changed(self, names: Iterable[str]) -> None:
        """The client changed these settings, once more."""
        self._updates += 1
        self._updated |= dict.fromkeys(names)

    def audio_committed(self, ms: int) -> None:
        """The user committed audio, or it was on the bill of a response that came to nothing."""
        self._unbilled_audio_ms += ms

    def bill_audio(self) -> int:
        """Takes the audio that the user committed since the last call, in ms: each sound is billed once."""
        taken, self._unbilled_audio_ms = self._unbilled_audio_ms, 0
        return taken
