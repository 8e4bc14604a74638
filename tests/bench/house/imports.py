"""Reads from the source which module imports which: imports inside functions and under TYPE_CHECKING count like all others."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from bench.house import tree

Graph = dict[str, set[str]]


def imports_of(path: Path, module: str) -> set[str]:
    """Dotted names that a file imports. `from a import b` gives a and a.b: b may be a module or a name in it."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return set(_imported(path, package))


def _imported(path: Path, package: str) -> Iterator[str]:
    for node in tree.nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def graph(root: Path) -> Graph:
    """Module -> modules of the product that it imports."""
    paths = {tree.module_of(path, root): path for path in tree.product(root)}
    return {module: {name for name in imports_of(path, module) if name in paths} - {module} for module, path in paths.items()}


def between_packages(modules: Graph, package: str) -> Graph:
    """The same between the direct children (packages and modules) of a package."""

    def child(module: str) -> str:
        return ".".join(module.split(".")[: package.count(".") + 2])

    found: Graph = {}
    for module, imported in modules.items():
        if module.startswith(f"{package}."):
            inside = {child(name) for name in imported if name.startswith(f"{package}.")}
            found.setdefault(child(module), set()).update(inside - {child(module)})
    return found


def cycles(edges: Graph) -> list[list[str]]:
    """Groups of nodes that reach each other (strongly connected, two or more), sorted."""
    reach = {node: reachable(edges, [node]) for node in edges}
    groups = {frozenset({other for other in reach[node] if node in reach.get(other, ())}) for node in edges}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def reachable(edges: Graph, starts: Iterable[str]) -> set[str]:
    """Nodes at the end of at least one arrow from the starts."""
    seen: set[str] = set()
    ahead = [name for start in starts for name in edges.get(start, ())]
    while ahead:
        node = ahead.pop()
        if node not in seen:
            seen.add(node)
            ahead.extend(edges.get(node, ()))
    return seen


def gateway_cycles(root: Path) -> list[str]:
    """One line a group of packages in a2serve.gateway that import each other, with the arrows inside it."""
    edges = between_packages(graph(root), "a2serve.gateway")
    return [" ".join(_arrows(edges, group)) for group in cycles(edges)]


def _arrows(edges: Graph, group: list[str]) -> list[str]:
    short = {name: name.removeprefix("a2serve.gateway.") for name in group}
    return [f"{short[a]}->{short[b]}" for a in group for b in sorted(edges[a]) if b in short]


def option_files(root: Path, option: str) -> list[str]:
    """Hand-written files that know a response option, on its way from the wire to the engine.

    On its way: modules of a2serve, those that it imports (directly or through others), .proto files, and the page. A module knows the
    option that declares it as a field which may be None, reads or passes it as an attribute or keyword, or has its name as a text. A
    function's own parameter of this name, or a field that always has a value, is another thing.
    """
    modules = graph(root)
    served = {name for name in modules if name.startswith("a2serve")}
    way = served | reachable(modules, served)
    found = [path for path in tree.product(root) if tree.module_of(path, root) in way and any(_knows(n, option) for n in tree.nodes(path))]
    named = re.compile(rf"\b{re.escape(option)}\b")
    found += [path for path in tree.files(root, tree.PRODUCT, ".proto") + tree.web_product(root) if named.search(path.read_text())]
    return [path.relative_to(root).as_posix() for path in found]


def _knows(node: ast.AST, option: str) -> bool:
    match node:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=kind):
            return name == option and "None" in ast.unparse(kind)
        case ast.Attribute(attr=name) | ast.keyword(arg=name):
            return name == option
        case ast.Constant(value=text):
            return text == option
    return False
