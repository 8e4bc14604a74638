"""Modules that no test is about.

A module is tested when a file in tests/unit, contract, parity or integration imports it (or a name of it, also by way of the package
that passes the name on), or is named for it:
test_<module>.py, or test_<package>_<module>.py. A module that is only reached through another one, through a socket or by a helper in
tests/support is not tested in this sense. Not counted: packages' __init__ and __main__, generated code, and the migrations, which Alembic
loads by their files' names.
"""

import ast
from pathlib import Path

from bench.house import imports, tree

NOT_COUNTED = ("__init__", "__main__")
FOLDERS = ("unit", "contract", "parity", "integration")


def modules_without_test(root: Path) -> list[str]:
    """Their dotted names."""
    tests = tree.files(root, tuple(f"tests/{folder}" for folder in FOLDERS), ".py")
    asked = {name for path in tests for name in imports.imports_of(path, "")}
    imported = asked | {home for name, home in _passed_on(root).items() if name in asked}
    named = {path.stem.removeprefix("test_") for path in tests if path.name.startswith("test_")}
    modules = [tree.module_of(path, root) for path in tree.product(root) if path.stem not in NOT_COUNTED and "migrations" not in path.parts]
    return [module for module in modules if module not in imported and not _names(module, modules) & named]


def _passed_on(root: Path) -> dict[str, str]:
    """a2llm.motion_codec.MotionCodec -> a2llm.motion_codec.codec: names that a package's __init__ takes from its modules."""
    found: dict[str, str] = {}
    for path in tree.product(root):
        if path.name == "__init__.py":
            package = tree.module_of(path, root)
            for node in tree.nodes(path):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
                    found |= {f"{package}.{alias.name}": str(node.module) for alias in node.names}
    return found


def _names(module: str, modules: list[str]) -> set[str]:
    """Names that a test of this module may have. The last part alone serves only if no other module ends with it."""
    parts = module.split(".")
    longer = {"_".join(parts[-count:]) for count in range(2, len(parts) + 1)}
    alone = [other for other in modules if other.split(".")[-1] == parts[-1]] == [module]
    return longer | ({parts[-1]} if alone else set())
