"""The attacks' report: what counts as a miss, and how open findings are counted."""

import re

from bench.attack.__main__ import BARS, findings_open, misses
from support.findings_table import SECURITY


def test_a_figure_that_is_not_as_it_has_to_be_is_a_miss():
    good = {name: float(str(bar).removeprefix(">= ")) for name, bar in BARS.items()}
    assert misses(good) == []
    for name, bar in BARS.items():
        worse = good[name] - 1 if isinstance(bar, str) else good[name] + 1
        assert len(misses(good | {name: worse})) == 1, name


def test_open_findings_are_the_rows_of_the_table_that_say_so():
    assert findings_open() == len(re.findall(r"^\| [A-Z]+\d+ \|.*\| open \|", SECURITY.read_text(), flags=re.M))
