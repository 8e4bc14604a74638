"""Words that mean "go on": a listener's mhm is not a bid for the floor. English, as the model is."""

import re

WORDS = frozenset(
    "mhm mm mmm mmhm mmhmm hm hmm hmmm uh uhhuh um umm huh ah aha oh ooh wow yeah yep yup yes ok okay right sure cool nice great good "
    "true exactly totally absolutely indeed interesting understood alright thanks".split()
)
PHRASES = frozenset(
    {"uh huh", "mm hm", "mm hmm", "i see", "got it", "of course", "all right", "thank you", "makes sense", "oh no", "no way"}
)
# What the small Whisper writes when it is given a cough, a click or breath.
NOISE = frozenset({"", "you", "bye", "the", "a", "so", "hey"})
MAX_WORDS = 4


def is_backchannel(transcript: str) -> bool:
    """Whether the transcript is empty, noise or nothing but listening sounds."""
    text = " ".join(re.findall(r"[a-z']+", re.sub(r"\[.*?\]|\(.*?\)|-", " ", transcript.lower())))
    words = text.split()
    return text in NOISE or text in PHRASES or (len(words) <= MAX_WORDS and all(word in WORDS for word in words))
