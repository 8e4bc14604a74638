"""Reads docs/glossary.md and finds the words that are not used: in names, docstrings, comments and pages."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("models", "services/a2serve", "services/triton", "infra", "charts", "requirements", "tests")
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md", "infra/*.md")
RIDDLES = re.compile(r"(What|Whatever|Who|Whoever|Whose|Where|Wherever|Which|That|Of|As|From)\b")  # openings that leave out the subject


class Ban(NamedTuple):
    """A row of the table: lower-case words, whole names as written, and the names that are allowed."""

    words: frozenset[str]
    whole: frozenset[str]
    in_prose: bool
    allowed: frozenset[str]


@cache
def bans() -> list[Ban]:
    """The rows of the table under "Words that are not used". Raises ValueError for a row without its four cells."""
    table = (ROOT / "docs" / "glossary.md").read_text().split("## Words that are not used")[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")][2:]
    return [_ban(*row) for row in rows]


def _ban(words: str, say: str, counted_in: str, allowed: str) -> Ban:
    if not say or not set(counted_in.split(", ")) <= {"names", "prose"}:
        raise ValueError(f"glossary: {words}: say what instead, and count in names, prose or both")
    quoted = re.findall(r"`(\w+)`", words)
    plain = re.findall(r"\w+", re.sub(r"`\w+`", "", words))
    return Ban(frozenset(plain), frozenset(quoted), "prose" in counted_in, frozenset(re.findall(r"`(\w+)`", allowed)))


def parts(name: str) -> set[str]:
    """The lower-case words of a name: NoSpeechError and no_speech_error have the same."""
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def is_banned(name: str) -> bool:
    """True if the name holds a word of the table, or is one of its whole names."""
    return any(name not in ban.allowed and (name in ban.whole or ban.words & parts(name)) for ban in bans())


def names_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(name, line) of everything that a module defines or uses by name. Names of tests are prose and left out."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                if not name.startswith("test_"):
                    yield name, node.lineno
            case ast.arg(arg=name) | ast.Attribute(attr=name) | ast.Name(id=name):
                yield name, node.lineno


def docstrings_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(text, line) of every docstring of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (text := ast.get_docstring(node)):
            yield text, node.body[0].lineno


def tests_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """(sentence, line) of the name of every test."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name.replace("_", " "), node.lineno


def comments_of(source: str) -> Iterator[tuple[str, int]]:
    """(text, line) of every comment."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string, token.start[0]


def prose_hits(text: str) -> list[str]:
    """Banned words of a text; what stands in backticks is a name, and not looked at."""
    words = re.findall(r"\w+", re.sub(r"`[^`]*`", "", text).lower())
    return [word for word in words for ban in bans() if ban.in_prose and word in ban.words]


def modules() -> list[Path]:
    """Our Python files, without what protoc writes."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in found if "_pb2" not in path.name and "node_modules" not in path.parts)


def pages() -> list[Path]:
    """Our Markdown pages, without the glossary itself."""
    return sorted(path for pattern in PAGES for path in ROOT.glob(pattern) if path.name != "glossary.md")


@cache
def findings() -> tuple[tuple[str, str], ...]:
    """(file, finding) for all files: banned names, banned words of prose, and docstrings that leave out their subject."""
    found = [(path.relative_to(ROOT).as_posix(), hit) for path in modules() for hit in _of_module(path)]
    found += [(path.relative_to(ROOT).as_posix(), hit) for path in pages() for hit in _of_page(path)]
    return tuple(found)


def _of_module(path: Path) -> Iterator[str]:
    source = path.read_text()
    tree = ast.parse(source)
    if is_banned(path.stem) and not path.stem.startswith("test_"):
        yield f"module {path.stem}"
    yield from sorted({f"{line}: name {name}" for name, line in names_of(tree) if is_banned(name)})
    for text, line in [*docstrings_of(tree), *tests_of(tree), *comments_of(source)]:
        yield from (f"{line}: word {word}" for word in prose_hits(text))
    yield from (f"{line}: docstring begins with {text.split()[0]}" for text, line in docstrings_of(tree) if RIDDLES.match(text))


def _of_page(path: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", lambda code: "\n" * code[0].count("\n"), path.read_text(), flags=re.DOTALL)
    for number, line in enumerate(text.splitlines(), 1):
        yield from (f"{number}: word {word}" for word in prose_hits(line))
