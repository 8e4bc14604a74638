"""Sound without words: how it is told from speech by its transcript, and what the avatar says to it instead of an invented answer."""

import re
import zlib

_NOTES = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*")  # [BLANK_AUDIO], (wind), *music*: what a recogniser writes for other sounds
_LOOP_WORDS, _LOOP_KINDS = 8, 2  # so many words of so few kinds are a recogniser's loop

_FIRST = (
    "Sorry, I didn't hear anything. Could you say that again?",
    "I couldn't make out any words just now. Would you try once more?",
    "Hm, nothing came through. Could you repeat that for me?",
    "I'm afraid I missed that. What did you say?",
    "I'm listening, but I heard no words. Could you say it again?",
    "That didn't reach me. Would you say it once more, please?",
)
_AGAIN = (
    "I still can't hear you. Is your microphone switched on?",
    "Still nothing, I'm sorry. Maybe check your microphone, or come a little closer.",
    "I can't make out any words yet. You could also type to me, if that is easier.",
    "It's still quiet on my side. Take your time, and speak up when you are ready.",
)


def holds_words(transcript: str) -> bool:
    """Whether a transcript holds words: not only marks, notes on other sounds, or one word over and over."""
    words = re.findall(r"\w+", _NOTES.sub(" ", transcript).lower())
    looped = len(words) >= _LOOP_WORDS and len(set(words)) <= _LOOP_KINDS
    return bool(words) and not looped


def ask_again(last_said: str, seed: str) -> str:
    """A sentence for somebody of whom nothing was heard; never the one that was said last, and another kind where that was one of them.

    seed: chooses among them, the same one for the same response.
    """
    known = " ".join(last_said.split())
    choices = [sentence for sentence in (_AGAIN if known in (*_FIRST, *_AGAIN) else _FIRST) if sentence != known]
    return choices[zlib.crc32(seed.encode()) % len(choices)]
