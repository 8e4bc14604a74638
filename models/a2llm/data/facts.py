"""Facts with several wordings of their question, as they lie in data/facts: one line a fact.

    {"kind": "fact.animals", "ask": ["How many legs does a spider have?", "spider legs how many"], "say": ["[inform] *Eight*."]}

Every answer of a line fits every question of it; which one goes with which is drawn, and fixed.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from a2llm.affect import Affect
from a2llm.data.annotation import AnnotatedDialogue, AnnotatedTurn, parse_response


def read_facts(path: Path) -> Iterator[AnnotatedDialogue]:
    """The questions of a file, each with one of its answers, as dialogues of one turn. Raises ValueError with file and line."""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            raw = json.loads(line)
            responses = [parse_response(text) for text in raw["say"]]
            for question in raw["ask"]:
                said = responses[sha256(question.encode()).digest()[3] % len(responses)]
                yield AnnotatedDialogue(raw["kind"], (AnnotatedTurn(question, Affect(), said),))
        except (KeyError, ValueError, ZeroDivisionError) as error:
            raise ValueError(f"{path.name}:{number}: {error}") from error


def load_facts() -> Iterator[AnnotatedDialogue]:
    """Every fact that ships, in file order."""
    for path in sorted(Path(str(files("a2llm.data").joinpath("facts"))).glob("*.jsonl")):
        yield from read_facts(path)
