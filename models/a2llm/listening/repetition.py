"""Guards against the ear's known failure: saying the same words again, once or until the token limit."""

_LONGEST_PHRASE_WORDS = 8
_MOST_TIMES = 3  # "no, no, no" is speech; a fourth time is a loop


_SHORTEST_ECHO_WORDS = 3


def drop_echo(text: str) -> str:
    """The text without a sentence said over again up to its end, whole or begun: what the ear does with the silence after a clip.

    Somebody who really says a sentence of three words or more twice loses the second time, which costs no meaning.
    """
    words = text.split()
    plain = _plain(words)
    for period in range(_SHORTEST_ECHO_WORDS, 2 * len(words) // 3 + 1):
        whole = len(words) >= 2 * period
        # "To be or not to be" begins again without being an echo: a partial one must follow a sentence's end.
        if plain[period:] == plain[:-period] and (whole or words[period - 1][-1] in ".?!"):
            return " ".join(words[:period])
    return text


def has_loop(text: str) -> bool:
    """Whether some phrase of 1-8 words follows itself more than three times."""
    return len(collapse_loops(text).split()) < len(text.split())


def collapse_loops(text: str) -> str:
    """The text with every phrase that follows itself more than three times kept once."""
    words = text.split()
    for width in range(1, _LONGEST_PHRASE_WORDS + 1):
        words = _collapse(words, width)
    return " ".join(words)


def _collapse(words: list[str], width: int) -> list[str]:
    kept, at = [], 0
    while at < len(words):
        times = _times(words, at, width)
        step = width * times if times > _MOST_TIMES else 1
        kept += words[at : at + min(step, width)]
        at += step
    return kept


def _times(words: list[str], at: int, width: int) -> int:
    """How often the phrase at this place stands there in a row, punctuation and case apart."""
    phrase = _plain(words[at : at + width])
    times = 1
    while _plain(words[at + times * width : at + (times + 1) * width]) == phrase:
        times += 1
    return times


def _plain(words: list[str]) -> list[str]:
    return ["".join(filter(str.isalnum, word)).lower() for word in words]
