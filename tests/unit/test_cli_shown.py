"""Tables, conversations and figures as commands show them: on a terminal, in a log, in JSON."""

import json
from pathlib import Path

import pytest

from a2llm.affect import Affect
from a2llm.cli import main
from a2llm.cli.agreement import CONFUSIONS
from a2llm.cli.bench import run as run_bench
from a2llm.cli.chat_screen import HELP, Screen
from a2llm.cli.data import register as register_data
from a2llm.cli.evaluate import KINDS
from a2llm.cli.tables import LOG_COLUMNS, print_table


def test_a_table_in_a_log_is_wide_enough_to_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "what"), [("a" * 40, "word " * 30), ("b", "[red]missing[/]")], title="things")
    out = capsys.readouterr().out
    assert "things" in out and "a" * 40 in out, "the first column is never broken"
    assert "missing" in out and "[red]" not in out
    assert max(len(line) for line in out.splitlines()) <= LOG_COLUMNS


def test_a_conversation_in_a_pipe_is_plain_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    assert not screen.interactive
    screen.welcome("ada", 1.25)
    screen.heard("hello", Affect("joy", 0.5))
    screen.begin_response("ada")
    screen.end_response(ttfa_ms=187.4, rtf=0.256, affect=Affect("sadness", 0.7), duration_s=2.0)
    screen.problem("no such file")
    out, err = capsys.readouterr()
    assert "heard › hello (you sounded joy)" in out and "ada › " in out
    assert "TTFA 187 ms · RTF 0.26 · 2.0 s · sadness 0.70" in out
    assert "Ada is listening (ready in 1.2 s)" in err and "a2: no such file" in err
    assert "\x1b[" not in out + err, "no colours in a pipe"
    assert all(word in HELP for word in ("/audio", "/persona", "/save", "/reset", "/quit"))


def test_lines_come_until_the_input_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_text("  hello  \n\nbye\n")
    with file.open() as lines:
        monkeypatch.setattr("sys.stdin", lines)
        screen = Screen()
        assert [screen.read() for _ in range(4)] == ["hello", "", "bye", None]


def test_agreement_is_figures_tables_and_confusions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "agreement.json"
    assert main(["data", "agreement", "--json", str(out)]) == 0
    shown = capsys.readouterr().out
    for head in ("two annotations", "affect", "function", "kappa"):
        assert head in shown
    figures = json.loads(out.read_text())
    assert figures and all(isinstance(value, int | float) for value in figures.values())
    rows = [line for line in shown.splitlines() if " / " in line or "→" in line or "->" in line]
    assert len(rows) <= 2 * CONFUSIONS


@pytest.mark.parametrize("line", [["evaluate", "hands"], ["bench", "response", "--prompts", "0"], ["data", "bake"]])
def test_what_cannot_be_measured_is_refused(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 2
    said = capsys.readouterr().err
    assert line[-1] in said
    if line[0] == "evaluate":
        assert all(kind in said for kind in KINDS)
    assert callable(run_bench) and callable(register_data)
