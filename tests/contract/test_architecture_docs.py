"""docs/architecture.md: every hop names a file that is there, and neighbours inside one process know each other."""

import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from bench.house import imports, tree

PAGE = tree.ROOT / "docs" / "architecture.md"
WAYS = ("A spoken question", "A usage record", "A training sample", "A chart value")
ARROWS = 2  # imports between neighbours, where no bold word says how else a hop is reached


class Hop(NamedTuple):
    """One line of a way. crossing: how it is reached, where that is no import; or empty."""

    number: int
    crossing: str
    file: str
    does: str


def hops(way: str) -> list[Hop]:
    section = PAGE.read_text().split(f"\n## {way}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^(\d+)\. (?:\*\*([^*]+)\*\* )?`([^`]+)` (.+)$", section, re.MULTILINE)
    return [Hop(int(number), crossing, file, does) for number, crossing, file, does in rows]


def typescript() -> imports.Graph:
    """File -> files that it imports."""
    files = {path.relative_to(tree.ROOT).as_posix(): path for path in tree.web_product(tree.ROOT)}
    return {name: {other for other in _imported(path) if other in files} for name, path in files.items()}


def _imported(path: Path) -> set[str]:
    found = re.findall(r"""(?:from|import) "(\.[^"?]+)""", path.read_text())
    return {(path.parent / name).resolve().relative_to(tree.ROOT).as_posix() for name in found}


def near(edges: imports.Graph, one: str, other: str) -> bool:
    """True if either is reached from the other over so few arrows."""
    return other in _within(edges, one) or one in _within(edges, other)


def _within(edges: imports.Graph, start: str) -> set[str]:
    seen = {start}
    for _ in range(ARROWS):
        seen |= {name for node in seen for name in edges.get(node, ())}
    return seen


def strangers(way: list[Hop]) -> list[str]:
    """Neighbours without a bold word between them that do not know each other."""
    python, web = imports.graph(tree.ROOT), typescript()
    found = []
    for before, hop in pairwise(way):
        if hop.crossing:
            continue
        name = (lambda file: file) if hop.file.endswith(".ts") else lambda file: tree.module_of(tree.ROOT / file, tree.ROOT)
        if not near(web if hop.file.endswith(".ts") else python, name(before.file), name(hop.file)):
            found.append(f"{before.number}-{hop.number}: {before.file} and {hop.file}")
    return found


@pytest.mark.parametrize("way", WAYS)
def test_every_hop_is_there_and_says_what_it_does(way: str) -> None:
    found = hops(way)
    assert [hop.number for hop in found] == list(range(1, len(found) + 1)) and len(found) > 5
    assert [hop.file for hop in found if not (tree.ROOT / hop.file).is_file()] == []
    assert all(hop.does.endswith(".") for hop in found)


@pytest.mark.parametrize("way", WAYS)
def test_neighbours_know_each_other(way: str) -> None:
    assert strangers(hops(way)) == []


def test_strangers_are_noticed() -> None:
    right = hops("A usage record")
    wrong = [right[0], Hop(2, "", "services/a2serve/recorder/tables.py", "is elsewhere.")]
    assert strangers(wrong) == ["1-2: models/a2llm/engine/response.py and services/a2serve/recorder/tables.py"]
