"""docs/security.md can be counted: every row is complete, and every test it names exists."""

import pytest
from support.findings_table import SECURITY, faults, rows

ROWS = rows(SECURITY)


def test_every_finding_of_the_audit_has_one_row() -> None:
    ids = [row["id"] for row in ROWS]
    assert len(set(ids)) == len(ids) and {f"S{number}" for number in range(1, 18)} <= set(ids)


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_row_is_complete_and_its_tests_exist(row: dict[str, str]) -> None:
    assert row["severity"] in ("critical", "major", "medium", "small")
    assert faults(row) == []
