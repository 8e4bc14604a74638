"""docs/kubernetes.md, "Findings": every row is complete, every test that it names is there, and what is open can be counted."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.findings_table import DOCUMENT, TESTS, faults, left_open, rows

ROWS = rows()


def test_every_finding_has_a_row() -> None:
    ids = [row["id"] for row in ROWS]
    wanted = [f"{letter}{number}" for letter, last in (("A", 13), ("B", 15), ("N", 15)) for number in range(1, last + 1)]
    assert ids == wanted


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_row_is_complete_and_its_tests_exist(row: dict[str, str]) -> None:
    assert row["severity"] in ("blocker", "high", "medium", "low")
    assert faults(row) == []


def test_a_row_that_is_not_complete_is_noticed() -> None:
    file = "contract/test_findings_table.py"
    good = {"finding": "x", "state": "mended", "what was done": "y", "test": f"{file}::test_every_finding_has_a_row"}
    assert faults(good) == []
    for change in (
        {"finding": ""},
        {"state": "done"},
        {"what was done": ""},
        {"test": ""},
        {"test": f"{file}::test_no"},
    ):
        assert len(faults(good | change)) == 1, change


def test_what_is_open_is_counted(tmp_path: Path) -> None:
    made = [{"id": "A1", "state": "open"}, {"id": "A2", "state": "mended"}, {"id": "B1", "state": "open"}, {"id": "B2", "state": "open"}]
    assert left_open(made) == {"findings_A_open": 1, "findings_B_open": 2, "findings_N_open": 0}
    done = subprocess.run([sys.executable, TESTS / "support" / "findings_table.py"], capture_output=True, text=True, check=True)
    assert '"findings_A_open": ' in done.stdout
    other = tmp_path / "other.md"
    other.write_text("## Findings\n")
    with pytest.raises(ValueError, match="no table of findings"):
        rows(other)


def test_the_documented_drain_has_its_flags() -> None:
    """Without them kubectl refuses: every pod here has an emptyDir."""
    [command] = [part for part in DOCUMENT.read_text().split("`") if part.startswith("kubectl drain NODE")]
    assert {"--ignore-daemonsets", "--delete-emptydir-data"} <= set(command.split())
