"""Words on the audio's clock: what was heard of an answer, and captions of the user that only ever grow."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """Text that begins at `start_ms` of its item's audio; may be several words of one packet."""

    start_ms: float
    text: str


def joined(words: list[Word]) -> str:
    """The transcript."""
    return " ".join(word.text for word in words)


def heard(words: list[Word], end_ms: float) -> list[Word]:
    """Those that began before `end_ms`: somebody who heard the beginning of a word heard the word."""
    return [word for word in words if word.start_ms < end_ms]


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
