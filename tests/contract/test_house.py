"""The bars of `make house` that can be held by looking at the source. The glossary and import-linter have tests of their own."""

from bench.house.figures import quick
from bench.house.tree import ROOT


def test_every_bar_is_held() -> None:
    """Lists, for each figure that misses its bar, what it counted."""
    assert {name: figure.found or figure.value for name, figure in quick(ROOT).items() if not figure.holds} == {}
