"""Captions of the user, which only ever grow."""

from dataclasses import dataclass


@dataclass(slots=True)
class Caption:
    """The user's words as they become certain. `sent` is what the client has."""

    sent: str = ""

    def delta(self, transcript: str, stable_chars: int) -> str:
        """The new certain text, up to a whole word; empty while the beginning is still changing."""
        stable = transcript[:stable_chars]
        if stable_chars < len(transcript):
            stable = stable[: stable.rfind(" ") + 1].rstrip()
        if not stable.startswith(self.sent):
            return ""
        news, self.sent = stable[len(self.sent) :], stable
        return news
