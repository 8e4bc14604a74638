"""Pointers from pages, docstrings and comments to files, modules and names that are not there.

Looked at: relative links of Markdown (with the heading behind `#`); names of files (`rest/turns.py`: some file of the tree ends so); dotted
names of our modules (`a2serve.gateway.app`, also with a name in the module behind it); names in backticks in docstrings and comments, which
must stand somewhere in the tree that is no prose.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from bench.house import prose, tree

ALWAYS = "py|ts|proto|tf|tpl"  # a name with this ending is one of our files wherever it stands
WITH_FOLDER = f"{ALWAYS}|md|yaml|yml|toml|json|jsonl|txt|sh|css|html|png|flac"  # with a folder only: else of the user
FILE = re.compile(rf"(?<![\w./<>{{}}$*~@-])(?:[\w-]+\.(?:{ALWAYS})|(?:[\w.-]+/)+[\w.-]+\.(?:{WITH_FOLDER}))(?![\w/*<{{])")
MODULE = re.compile(r"(?<![\w./-])(?:a2llm|a2serve)(?:\.[A-Za-z_]\w*)+(?![\w/(-]|\.\w)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAME = re.compile(r"`([A-Za-z_][\w.]*)(?:\(\))?`")
SHOUTED = re.compile(r"[A-Z]+")  # SQL, HTTP
URL = re.compile(r"\w+://\S+")
PLACES = (*tree.PRODUCT, *tree.TOOLS, "services/web", "tests", "docs", "models", ".ci")
# Written by our commands, by the reader (FOLDER, my-), or in another project's package: no clone has them.
ELSEWHERE = re.compile(r"^(answer|runs|datasets|out|build|dist|package)/|^/|(^|/)(my-|[A-Z]+[/.])")


class Pointers:
    """All files of a tree, and what does not point to one of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        at_top = [path for path in sorted(root.iterdir()) if path.is_file()]
        self.files = at_top + [path for place in sorted(set(PLACES)) for path in tree.files_below(root / place)]
        self.names = {path.relative_to(root).as_posix() for path in self.files}

    @cached_property
    def _endings(self) -> set[str]:
        return {"/".join(name.split("/")[-count:]) for name in self.names for count in range(1, name.count("/") + 2)}

    @cached_property
    def _words(self) -> set[str]:
        """Every word of the tree that is no prose, and every name with dots."""
        texts = [prose.code(path) for path in self.files if path.suffix != ".md"]
        return {word for text in [*texts, *self.names] for pattern in (r"\w+", r"[\w.]*\w") for word in re.findall(pattern, text)}

    def broken(self) -> list[str]:
        """`file:line pointer`, sorted."""
        found = {hit for path in self.files if tree.ours(path, self.root) for hit in self._of_file(path)}
        return sorted(found)

    def _of_file(self, path: Path) -> Iterator[str]:
        where = path.relative_to(self.root).as_posix()
        for line, text in prose.texts(path):
            yield from (f"{where}:{line} {pointer}" for pointer in self._of_text(path, text))

    def _of_text(self, path: Path, text: str) -> Iterator[str]:
        if path.suffix == ".md":
            yield from (link for link in LINK.findall(text) if not self._leads(path, link))
        else:
            yield from (f"`{name}`" for name in NAME.findall(text) if not self._is_known(name))
        plain = URL.sub(" ", LINK.sub("] ", text))
        yield from (name for name in FILE.findall(plain) if not ELSEWHERE.search(name) and not self._is_file(path, name))
        yield from (name for name in MODULE.findall(plain) if not self._is_module(name))

    def _leads(self, page: Path, link: str) -> bool:
        if re.match(r"\w+:", link):
            return True
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        return target.exists() and (not heading or target.suffix != ".md" or heading in prose.headings(target))

    def _is_file(self, source: Path, name: str) -> bool:
        """A file whose path ends so, or a package with this dotted name: contracts.proto."""
        plain = name.removeprefix("./").removeprefix("../")
        return plain in self._endings or f"{plain.replace('.', '/')}/__init__.py" in self._endings or (source.parent / name).exists()

    def _is_known(self, name: str) -> bool:
        return all(part in self._words or SHOUTED.fullmatch(part) for part in name.split(".") if part)

    def _is_module(self, name: str) -> bool:
        """A module, a name that a module's text holds (a2serve.gateway.app.create_app), or a name that is no module, such as a label."""
        if name in self._words:
            return True
        parts = name.split(".")
        for count in range(len(parts), 0, -1):
            if file := self._module_file("/".join(parts[:count])):
                return all(re.search(rf"\b{part}\b", file.read_text()) for part in parts[count:])
        return True  # no package of ours in this tree

    def _module_file(self, path: str) -> Path | None:
        candidates = [f"{folder}/{path}{end}" for folder in ("models", "services") for end in (".py", "/__init__.py")]
        found = [name for name in candidates if name in self.names]
        return self.root / found[0] if found else None


def broken_pointers(root: Path) -> list[str]:
    """`file:line pointer` of everything that leads nowhere."""
    return Pointers(root).broken()
