"""All counts of a tree as one flat report: each figure, what may be at most (or must be at least) there, and what was counted."""

from dataclasses import dataclass, field
from operator import ge, le
from pathlib import Path

from bench.house import imports, pointers, sizes, tools, tree, untested
from support import glossary

OPTION = "top_p"  # the response option that was added last, as a user adds one


@dataclass(frozen=True)
class Figure:
    """One count. bar: the most, or with `least` the least, that it may be; None reports without judging."""

    value: float
    bar: float | None = None
    least: bool = False
    found: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """True without a bar, too."""
        return self.bar is None or (ge if self.least else le)(self.value, self.bar)


def counted(found: list[str], bar: float | None = 0) -> Figure:
    """A figure that counts what was found."""
    return Figure(len(found), bar, found=found)


def quick(root: Path) -> dict[str, Figure]:
    """Figures that are read from the source itself. Raises ValueError where OPTION is not offered on the wire."""
    messages, option = sizes.message_lines(root), imports.option_files(root, OPTION)
    if not any(file.endswith(".proto") for file in option):
        raise ValueError(f"{OPTION} is in no .proto file: choose an option that is offered in {Path(__file__).name}")
    ratios = sizes.tests_per_source_line(root)
    return {
        "files_per_response_option": counted(option, 4),
        "gateway_cycles": counted(imports.gateway_cycles(root)),
        "functions_over_50": counted(sizes.long_functions(root)),
        "modules_over_300": counted(sizes.long_modules(root, tree.product(root))),
        "test_modules_over_300": counted(sizes.long_modules(root, tree.tests(root)), None),
        "hand_written_message_lines": Figure(sum(messages.values()), 490, found=[f"{place} {count}" for place, count in messages.items()]),
        "message_and_wire_lines": Figure(sum(sizes.message_lines(root, sizes.MESSAGES_AND_WIRES).values())),
        "tests_per_source_line": Figure(ratios["tests_per_source_line"], 0.8, least=True),
        "web_tests_per_source_line": Figure(ratios["web_tests_per_source_line"]),
        "modules_without_test": counted(untested.modules_without_test(root), 20),
        "broken_doc_pointers": counted(pointers.broken_pointers(root)),
    }


def with_tools(root: Path) -> dict[str, Figure]:
    """Figures that other programs count, and the glossary's (ten seconds)."""
    kept, broken = tools.import_contracts(root)
    return {
        "import_contracts": Figure(kept, 1, least=True),
        "import_contracts_broken": Figure(broken, 0),
        "banned_words": counted([f"{path}:{hit}" for path, hit in glossary.findings()]),
        "format_violations": counted(tools.unformatted(root) + tools.web_unformatted(root)),
    }


def all_figures(root: Path = tree.ROOT) -> dict[str, Figure]:
    """Name -> figure."""
    return quick(root) | with_tools(root)


def numbers(figures: dict[str, Figure]) -> dict[str, float]:
    """The flat report."""
    return {name: figure.value for name, figure in figures.items()}


def text(figures: dict[str, Figure], most: int) -> str:
    """A table, and under it what was found for each figure (at most so many lines)."""
    rows = [_row(name, figure) for name, figure in figures.items()]
    return "\n".join([*rows, *(line for name, figure in figures.items() for line in _details(name, figure, most))])


def _row(name: str, figure: Figure) -> str:
    bar = "" if figure.bar is None else f"{'at least' if figure.least else 'at most'} {figure.bar:g}"
    return f"{name:<28}{figure.value:>9g}  {bar:<13}{'' if figure.holds else 'MISSED'}".rstrip()


def _details(name: str, figure: Figure, most: int) -> list[str]:
    more = len(figure.found) - most
    shown = [f"  {line}" for line in figure.found[:most]] + ([f"  ... {more} more: --all"] if more > 0 else [])
    return [f"\n{name}:", *shown] if shown else []
