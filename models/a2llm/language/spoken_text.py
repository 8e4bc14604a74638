"""Written text -> text that can be spoken word by word, whole or as a stream; and the check of user input.

`to_spoken` is the stream fed at once, so both always agree. This is typography, not style: it makes what is
written speakable and does not shorten, censor or rephrase it. The result holds Latin letters, apostrophes,
hyphens within words, spaces and . , ; : ! ? only.
"""

import re
import unicodedata

from a2llm.language.spoken_codes import Context
from a2llm.language.spoken_runs import goes_on, is_one
from a2llm.language.spoken_tables import CODE_CUES
from a2llm.language.spoken_words import Spoken, needs_next, pauses, speak_token, tidy

USER_TEXT_LIMIT = 2_000  # characters: about two minutes of speech
_TAG_LIMIT = 300  # characters a markup tag may have
_TAG = re.compile(rf"<[A-Za-z/!?|][^<>]{{0,{_TAG_LIMIT}}}>")
_BULLETS = frozenset(["-", "*", "+", "•", "–", "·", "▪", "#", "##", "###", "####", "#####", "######", ">", "|"])
_KEEP_CONTROLS = "\u200c\u200d"  # joiners that some scripts and emoji need


def to_spoken(text: str) -> str:
    """Speakable form of a whole text; "" when nothing can be spoken."""
    stream = SpokenStream()
    return stream.feed(text) + stream.finish()


def clean_user_text(text: str, limit: int = USER_TEXT_LIMIT) -> str:
    """Makes typed text safe for the model: no control characters, no tags, single spaces; any script.

    Raises ValueError, with a sentence for the user, when nothing is left or it exceeds `limit` characters.
    """
    plain = "".join(_visible(char) for char in _TAG.sub(" ", text))
    cleaned = " ".join(plain.split())
    if not cleaned:
        raise ValueError("say something: the text is empty")
    if len(cleaned) > limit:
        raise ValueError(f"the text has {len(cleaned):,} characters, the limit is {limit:,}")
    return cleaned


class SpokenStream:
    """Pieces of text in, speakable text out. Withholds the word that may still grow and what depends on the next."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._markup = _MarkupFilter()
        self._tail = ""  # unfinished token with the whitespace before it
        self._held: list[tuple[str, int]] = []  # tokens that what follows may change or continue; line breaks before each
        self._before = ""
        self._recent: tuple[str, ...] = ()  # plain words of the sentence so far, the last few
        self._out = _Assembler()

    def feed(self, piece: str) -> str:
        """Speakable text that `piece` settles; concatenated with `finish()`, equal for any cutting."""
        self._tail += self._markup.feed(piece)
        cut = _last_space(self._tail)
        settled, self._tail = self._tail[:cut], self._tail[cut:]
        self._take(settled)
        return self._out.take()

    def finish(self) -> str:
        """Speakable text of what was withheld. The stream can be used again afterwards."""
        self._take(self._tail + self._markup.finish())
        self._advance("", 0)
        written = self._out.take()
        self._reset()
        return written

    @property
    def settled(self) -> bool:
        """Nothing can be added to the last word any more: a plain word begins behind it."""
        plain_word = re.match(r"[^\S\n]+[A-Za-z]", self._tail)
        return plain_word is not None and not self._held and not self._out.pausing

    def _take(self, text: str) -> None:
        """`text` ends where a token ends; the whitespace before a token tells its line breaks."""
        for space, token in re.findall(r"(\s*)(\S+)", text):
            self._advance(token, space.count("\n"))

    def _advance(self, token: str, breaks: int) -> None:
        if self._held and token and not breaks and goes_on(" ".join(_plain(held) for held, _ in self._held), _plain(token)):
            self._held.append((token, breaks))
            if pauses(token):
                self._settle("")
            return
        self._settle(token)
        if token and needs_next(token):
            self._held = [(token, breaks)]
        elif token:
            self._speak(token, breaks, after="")

    def _settle(self, after: str) -> None:
        """Speaks what is held: as many tokens as are one figure together, then the rest."""
        held, self._held = self._held, []
        while held:
            count = next(filter(lambda n: self._is_one(held, n, after), range(len(held), 1, -1)), 1)
            text = held[0][0] if count == 1 else " ".join(_plain(token) for token, _ in held[:count])
            self._speak(text, held[0][1], held[count][0] if count < len(held) else after)
            held = held[count:]

    def _is_one(self, held: list[tuple[str, int]], count: int, after: str) -> bool:
        following = held[count][0] if count < len(held) else after
        return is_one(" ".join(_plain(token) for token, _ in held[:count]), Context(self._before, following, self._recent))

    def _starts_line(self, breaks: int) -> bool:
        return breaks > 0 or not self._before

    def _speak(self, token: str, breaks: int, after: str) -> None:
        first = self._starts_line(breaks)
        if breaks > 1 or (breaks and (token in _BULLETS or token[0].isupper() or token[0].isdigit())):
            self._out.pause_later(".")
        if first and (token in _BULLETS or (set(token) <= set("-=*_|:") and len(token) > 2)):
            self._out.pause_later(".")
        elif first and after and (match := re.fullmatch(r"(\d{1,2})[.)]", token)):
            self._out.add(Spoken(speak_token(match[1], "", "").words, ","))
        else:
            self._out.add(speak_token(token, self._before, after, self._recent))
        self._before = token
        word = token.strip("*_.,;:!?\"'()#").lower()
        ends = pauses(token) in ("?", "!", "...", ".") and word not in (*CODE_CUES, "no")
        self._recent = () if ends else (*self._recent[-5:], word)


class _Assembler:
    """Joins words and pauses: one space between words, one mark after a word, none at the start."""

    def __init__(self) -> None:
        self._fresh: list[str] = []
        self._last = ""  # last character written, "" at the start
        self._later = ""  # a pause to write if another word follows

    def add(self, spoken: Spoken) -> None:
        if spoken.opens:
            self.pause_later(",")
        if spoken.words:
            self._mark(self._later)
            self._later = ""
            self._write(f" {spoken.words}" if self._last else spoken.words)
        self._mark(spoken.pause)
        if spoken.closes:
            self.pause_later(",")

    def pause_later(self, mark: str) -> None:
        self._later = mark if mark == "." or not self._later else self._later

    def take(self) -> str:
        fresh, self._fresh = "".join(self._fresh), []
        return fresh

    @property
    def pausing(self) -> bool:
        """A pause is due before the next word."""
        return bool(self._later)

    def _mark(self, mark: str) -> None:
        if mark and self._last and self._last not in ".,;:!?":
            self._write(mark)

    def _write(self, text: str) -> None:
        self._fresh.append(text)
        self._last = text[-1]


class _MarkupFilter:
    """Drops code blocks and tags from a stream of characters; holds back what may become one."""

    def __init__(self) -> None:
        self._held = ""
        self._in_code = False

    def feed(self, piece: str) -> str:
        self._held += piece
        out: list[str] = []
        while self._held and (self._code(out) if self._in_code else self._text(out)):
            pass
        return "".join(out)

    def finish(self) -> str:
        """Returns what was held back, taken literally; an unclosed code block is dropped."""
        out = ""
        while self._held and not self._in_code:
            out, self._held = out + self._held[0], self._held[1:]
            out += self.feed("")
        return out

    def _code(self, out: list[str]) -> bool:
        """Like `_text`, one step forward; False when more characters are needed."""
        end = self._held.find("```")
        if end < 0:
            self._held = self._held[-2:]
            return False
        self._held, self._in_code = self._held[end + 3 :], False
        out.append("\n")
        return True

    def _text(self, out: list[str]) -> bool:
        match = re.search(r"`{1,3}|<", self._held)
        if not match:
            out.append(self._held)
            self._held = ""
            return False
        out.append(self._held[: match.start()])
        self._held = self._held[match.start() :]
        return self._tag(out) if match[0] == "<" else self._ticks(match[0], out)

    def _ticks(self, ticks: str, out: list[str]) -> bool:
        if ticks == "```":
            self._held, self._in_code = self._held[3:], True
            return True
        if ticks == self._held:  # one or two so far, a third may follow
            return False
        self._held = self._held[len(ticks) :]
        return True

    def _tag(self, out: list[str]) -> bool:
        tag = _TAG.match(self._held)
        if tag:
            out.append(" ")
        elif self._may_become_tag():
            return False
        else:
            out.append("<")
        self._held = self._held[tag.end() if tag else 1 :]
        return True

    def _may_become_tag(self) -> bool:
        return re.fullmatch(rf"<(?:[A-Za-z/!?|][^<>]{{0,{_TAG_LIMIT}}})?", self._held) is not None


def _plain(token: str) -> str:
    return tidy(token).strip()


def _last_space(text: str) -> int:
    """Index at which the last whitespace run that follows a token begins; 0 when there is none."""
    match = re.search(r"(?<=\S)\s+\S*$", text)
    return match.start() if match else 0


def _visible(char: str) -> str:
    if char in "\n\t":
        return " "
    kind = unicodedata.category(char)
    return "" if kind in ("Cc", "Cf", "Cs", "Co", "Cn") and char not in _KEEP_CONTROLS else char
