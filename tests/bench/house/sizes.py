"""How long functions, modules and the hand-written messages are, and how many lines of tests there are for them."""

import ast
from pathlib import Path

from bench.house import tree

FUNCTION_LINES = 50
MODULE_LINES = 300
# Messages between a model and its callers, written by hand: their definitions and what carries them. Affects, items and tools are the
# model's own and were never copied; inference/wire.py and triton_wire.py check requests, cut sound and speak to Triton, and copy nothing.
# A file that moves has to move here too: a missing one is an error.
MESSAGES = (
    "models/a2llm/messages/errors.py",
    "models/a2llm/messages/requests.py",
    "models/a2llm/messages/results.py",
    "services/a2serve/contracts/proto/convert.py",
)


# The same with all that became of the six files that held copies of the messages (861 lines): for a comparison like with like.
MESSAGES_AND_WIRES = (
    *MESSAGES,
    "services/a2serve/inference/wire.py",
    "services/a2serve/inference/triton_wire.py",
    "services/a2serve/gateway/model_client/interface.py",
)


def long_functions(root: Path) -> list[str]:
    """`file:line name lines` of every function over 50 lines, from its `def` to its last line."""
    return [
        f"{path.relative_to(root)}:{node.lineno} {node.name} {_length(node)}"
        for path in tree.python(root)
        for node in tree.nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _length(node) > FUNCTION_LINES
    ]


def long_modules(root: Path, paths: list[Path]) -> list[str]:
    """`file lines` of every file over 300 lines, the longest first."""
    found = sorted(((tree.lines([path]), path) for path in paths), reverse=True)
    return [f"{path.relative_to(root)} {count}" for count, path in found if count > MODULE_LINES]


def message_lines(root: Path, places: tuple[str, ...] = MESSAGES) -> dict[str, int]:
    """Lines, by `file` or `file:Class`. Raises ValueError for one that is not there."""
    return {place: _lines_of(root, *place.partition(":")[::2]) for place in places}


def tests_per_source_line(root: Path) -> dict[str, float]:
    """Lines below tests/ (benchmarks and shared parts included) for each line of the product; the same for the page."""
    return {
        "tests_per_source_line": _ratio(tree.tests(root), tree.product(root)),
        "web_tests_per_source_line": _ratio(tree.web_tests(root), tree.web_product(root)),
    }


def _ratio(tests: list[Path], sources: list[Path]) -> float:
    return round(tree.lines(tests) / max(tree.lines(sources), 1), 3)


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _lines_of(root: Path, file: str, name: str) -> int:
    if not (root / file).is_file():
        raise ValueError(f"{file} is gone: name the file that holds its messages now in {Path(__file__).name}")
    if not name:
        return tree.lines([root / file])
    found = [node for node in tree.nodes(root / file) if isinstance(node, ast.ClassDef) and node.name == name]
    if not found:
        raise ValueError(f"{file} has no class {name}: name the place of its messages now in {Path(__file__).name}")
    return _length(found[0])
