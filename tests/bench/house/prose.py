"""Tells the prose of a file (a page, docstrings, comments) from its code."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from bench.house import tree

COMMENTS = {".ts": r"/\*.*?\*/|//[^\n]*", ".proto": r"//[^\n]*", "": r"(?m)^\s*#[^\n]*|\s#\s[^\n]*"}
HASHED = (".yaml", ".yml", ".toml", ".tf", ".sh", "Makefile", "Dockerfile", "run")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of the prose of a file: a page's lines, docstrings, comments."""
    if path.suffix == ".md":
        yield from enumerate(path.read_text().splitlines(), 1)
    elif path.suffix == ".py":
        yield from _python(path)[1]
    elif path.suffix in COMMENTS or path.name.endswith(HASHED):
        text = path.read_text()
        for match in re.finditer(COMMENTS.get(path.suffix, COMMENTS[""]), text, re.DOTALL):
            yield text.count("\n", 0, match.start()) + 1, match[0]


def code(path: Path) -> str:
    """A text file without its prose; nothing of any other."""
    if path.suffix == ".py":
        return _python(path)[0]
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return ""
    return re.sub(COMMENTS[path.suffix], " ", text, flags=re.DOTALL) if path.suffix in COMMENTS else text


@cache
def _python(path: Path) -> tuple[str, tuple[tuple[int, str], ...]]:
    """(code, prose by line) of a Python file, read once."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in tree.nodes(path) if isinstance(node, kinds) and ast.get_docstring(node)]
    said = {node.body[0].lineno: ast.get_docstring(node) or "" for node in nodes}
    written: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            said[token.start[0]] = f"{said.get(token.start[0], '')} {token.string}"
        elif not (token.type == tokenize.STRING and token.start[0] in said):
            written.append(token.string)
    return " ".join(written), tuple(said.items())


def headings(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    lines = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL).splitlines()
    titles = [line.lstrip("#").strip() for line in lines if re.match(r"#+ ", line)]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
