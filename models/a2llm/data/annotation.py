"""Responses annotated for the face, phrase by phrase: what a phrase does, what it feels like, which words carry it.

    [empathise sadness.6] Oh no, I'm so *sorry*. [comfort joy.3] Maybe she comes back ^tonight^.

A phrase begins with its functions (FUNCTIONS, the leading one first) and its affect; `*word*` is stressed because it is new or matters,
`^word^` because it stands against another. The text of the response is what is left without brackets and marks. Rules of annotating:
docs/data.md, "Annotated dialogues". This module reads and checks; it judges nothing.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from a2llm.affect import Affect

# Functions of a phrase: name -> explanation for annotators.
FUNCTIONS = {
    "inform": "tells something, with nothing of the others",
    "affirm": "says yes, confirms, agrees with a fact",
    "negate": "says no, denies, refuses, also unspoken: I'd rather not, hardly",
    "agree": "shares an opinion, a judgement or a wish",
    "disagree": "sets another opinion against one, also one about oneself",
    "unsure": "doubts, guesses, does not know",
    "ask": "wants an answer",
    "request": "wants something done; advice, too",
    "offer": "offers what the speaker itself does or gives",
    "list": "one of several items in a row",
    "contrast": "sets two things against each other",
    "emphasise": "this is the point",
    "intensify": "so, very, never, at all: strengthens",
    "include": "everybody, all of it, the whole world",
    "recall": "searches memory, thinks aloud",
    "react": "first response to news: oh, wow, really, or the news repeated",
    "empathise": "feels with the listener: says what they go through",
    "comfort": "gives hope, calms",
    "praise": "admires, congratulates",
    "thank": "thanks",
    "apologise": "says sorry for one's own doing",
    "greet": "hello",
    "farewell": "goodbye",
    "address": "speaks to the listener by name or directly: you know, listen",
    "quote": "speaks in somebody else's words",
    "joke": "sets up or lands a joke; the point is its last phrase",
    "irony": "says the opposite of what is meant",
    "warn": "names what may go wrong",
    "relieve": "is relieved: phew, at last",
    "wish": "hopes, wishes, looks forward",
}
_HEAD = re.compile(r"\[([a-z ]+?)(?: (joy|sadness|anger|surprise|neutral)(?:\.([1-9]))?)?\]\s*")
_MARK = re.compile(r"([*^])([^\s*^][^*^]*?)\1")
MARKS = {"*": "emphasis", "^": "contrast"}


@dataclass(frozen=True)
class Phrase:
    """A part of a response. `stressed`: word index within the phrase -> emphasis | contrast."""

    text: str
    functions: tuple[str, ...]
    affect: Affect
    stressed: dict[int, str]


@dataclass(frozen=True)
class AnnotatedTurn:
    """A user's line, how it sounds, and the response in phrases."""

    user: str
    voice: Affect
    phrases: tuple[Phrase, ...]

    @property
    def response(self) -> str:
        """The response's words without brackets and marks."""
        return " ".join(phrase.text for phrase in self.phrases)


@dataclass(frozen=True)
class AnnotatedDialogue:
    """Turns that belong together. `kind`: what it covers; `pair`: shared by dialogues whose last response has the same words; `persona`:
    who answers, where the words depend on it."""

    kind: str
    turns: tuple[AnnotatedTurn, ...]
    pair: str = ""
    persona: str = ""


def parse_response(text: str) -> tuple[Phrase, ...]:
    """The phrases of an annotated response. Raises ValueError, naming what is wrong."""
    heads = list(_HEAD.finditer(text))
    if not heads or heads[0].start() != 0:
        raise ValueError(f"a response begins with [functions affect.intensity]: {text[:60]!r}")
    ends = [head.start() for head in heads[1:]] + [len(text)]
    phrases = tuple(_phrase(head, text[head.end() : end].strip()) for head, end in zip(heads, ends, strict=True))
    if left := re.search(r"[\[\]*^]", " ".join(phrase.text for phrase in phrases)):
        raise ValueError(f"a mark or bracket {left[0]!r} is left over: {text!r}")
    return phrases


def _phrase(head: re.Match[str], text: str) -> Phrase:
    functions = tuple(head[1].split())
    if unknown := [name for name in functions if name not in FUNCTIONS]:
        raise ValueError(f"unknown function {unknown[0]!r} in {head[0]!r}; known: {', '.join(FUNCTIONS)}")
    if not text:
        raise ValueError(f"a phrase without words: {head[0]!r}")
    if head[2] not in (None, "neutral") and not head[3]:
        raise ValueError(f"an affect needs an intensity, as joy.6: {head[0]!r}")
    affect = Affect(head[2] or "neutral", int(head[3]) / 10 if head[3] and head[2] != "neutral" else 0.0).checked()
    return Phrase(_MARK.sub(r"\2", text), functions, affect, _stressed(text))


def _stressed(text: str) -> dict[int, str]:
    """Word index -> kind of stress, of text with its marks."""
    found: dict[int, str] = {}
    for match in _MARK.finditer(text):
        before = _MARK.sub(r"\2", text[: match.start()])
        first = len(before.split()) - (before[-1:] not in ("", " "))  # a mark inside a word, as in forty-*five*, is that word's
        found |= {first + index: MARKS[match[1]] for index in range(len(match[2].split()))}
    return found


def read(path: Path) -> Iterator[AnnotatedDialogue]:
    """The dialogues of a file. Raises ValueError with file and line."""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            raw = json.loads(line)
            turns = tuple(
                AnnotatedTurn(t["user"], Affect.heard(t.get("voice", "neutral")), parse_response(t["response"])) for t in raw["turns"]
            )
            yield AnnotatedDialogue(raw["kind"], turns, raw.get("pair", ""), raw.get("persona", ""))
        except (KeyError, ValueError) as error:
            raise ValueError(f"{path.name}:{number}: {error}") from error


def load_annotated(folder: str = "annotated") -> Iterator[AnnotatedDialogue]:
    """Every annotated dialogue that ships, in file order. Folder `annotated_second`: the second annotation, see agreement.py."""
    for path in sorted(Path(str(files("a2llm.data").joinpath(folder))).glob("*.jsonl")):
        yield from read(path)
