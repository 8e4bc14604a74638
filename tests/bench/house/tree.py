"""Files of a source tree, by kind. Every counter takes the tree's root, so that a test can give it a small one."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("models/a2llm", "services/a2serve")
TOOLS = ("infra", "charts", "requirements", "services/triton")
WEB = "services/web"
NOT_OURS = {"node_modules", "dist", ".venv", "__pycache__", ".git"}
GENERATED = re.compile(r"_pb2(_grpc)?\.pyi?$|services/web/src/contract/")


def files(root: Path, folders: tuple[str, ...], *endings: str) -> list[Path]:
    """Hand-written files below the folders whose names end so, sorted."""
    return sorted(path for folder in folders for path in files_below(root / folder) if path.name.endswith(endings) and ours(path, root))


def ours(path: Path, root: Path) -> bool:
    """False for what a tool has written or installed."""
    relative = path.relative_to(root)
    return not NOT_OURS & set(relative.parts) and not GENERATED.search(relative.as_posix())


def product(root: Path) -> list[Path]:
    """Python modules of the two import packages."""
    return files(root, PRODUCT, ".py")


def tests(root: Path) -> list[Path]:
    """Python of tests/: tests, what they share, benchmarks."""
    return files(root, ("tests",), ".py")


def web_product(root: Path) -> list[Path]:
    """TypeScript of the page, of the library and of their build."""
    return files(root, (f"{WEB}/src", f"{WEB}/build"), ".ts")


def web_tests(root: Path) -> list[Path]:
    """TypeScript that tests it."""
    return files(root, (f"{WEB}/tests",), ".ts")


def python(root: Path) -> list[Path]:
    """Every Python file: product, tools, tests."""
    return product(root) + files(root, TOOLS, ".py") + tests(root)


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """The nodes of a Python file's syntax tree, read once; the first is the module."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def lines(paths: list[Path]) -> int:
    """Lines of the files, blank ones included."""
    return sum(len(path.read_text().splitlines()) for path in paths)


def module_of(path: Path, root: Path) -> str:
    """models/a2llm/talker/model.py -> a2llm.talker.model; a package's __init__.py is the package."""
    parts = list(path.relative_to(root).with_suffix("").parts[1:])
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file, generated ones too, without what is installed or built."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and path.name not in NOT_OURS:
            yield from files_below(path)
        elif path.is_file():
            yield path
