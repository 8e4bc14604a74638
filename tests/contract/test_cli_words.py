"""The command line's words: help with examples, one line for a mistake, exit codes; nothing heavy for any of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from a2llm.cli import main
from a2llm.cli.figures_out import flat, verdict, write_figures

ROOT = Path(__file__).parents[2]
COMMANDS = [
    ["say"],
    ["chat"],
    ["render"],
    ["data"],
    ["data", "build"],
    ["data", "report"],
    ["data", "agreement"],
    ["train"],
    ["evaluate"],
    ["bench"],
    ["weights"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples:\n  " in text and f"a2 {' '.join(command)}" in text


def test_help_and_mistakes_load_nothing_heavy() -> None:
    bad = (["--affect", "joy:7"], ["--persona", "zed"], ["--rig", "zed"])
    lines = (["--help"], ["say", "--help"], ["say", ""], *(["say", "hi", *option] for option in bad), ["train"])
    program = (
        "import sys, io, contextlib\nfrom a2llm.cli import main\n"
        f"for line in {lines!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()): main(line)\n"
        "print(*{'torch', 'openvino', 'matplotlib', 'numba', 'av', 'onnxruntime', 'ctranslate2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_without_a_command_the_help_comes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "examples:" in capsys.readouterr().err


MISTAKES = [
    (["sing"], "invalid choice: 'sing'"),
    (["say"], "either a text or --audio"),
    (["say", "hello", "--audio", "x.wav"], "either a text or --audio"),
    (["say", ""], "the text is empty"),
    (["say", " \t\n "], "the text is empty"),
    (["say", "<speak><break/></speak>"], "the text is empty"),
    (["say", "\u200b\ufeff\x07"], "the text is empty"),
    (["say", "a" * 20_000], "20,000 characters, the limit is 2,000"),
    (["say", "hi", "--affect", "bored"], "unknown affect 'bored'"),
    (["say", "hi", "--affect", "joy:much"], "must be a number"),
    (["say", "hi", "--affect", "joy:1.5"], "between 0 and 1"),
    (["say", "hi", "--persona", "zed"], "choose one of ada, max"),
    (["say", "hi", "--rig", "zed"], "choose one of arkit61, oculus15, flame58"),
    (["say", "hi", "--rig", "faceit"], "arkit61"),
    (["say", "hi", "--seed", "-1"], "whole number from 0 on"),
    (["say", "hi", "--rig", "flame58"], "--flame-mapping"),
    (["say", "hi", "--flame-mapping", "x.npz"], "--rig flame58"),
    (["say", "hi", "--rig", "flame58", "--flame-mapping", "/nowhere.npz"], "no FLAME mapping"),
    (["say", "hi", "--rig", "flame58", "--flame-mapping", __file__], "no FLAME mapping"),
    (["chat", "--persona", "zed"], "choose one of ada, max"),
    (["render", "m.json", "--audio", "a.wav", "--size", "65"], "even number of pixels"),
    (["render", "m.json", "--audio", "a.wav", "--fps", "0"], "whole number from 1 on"),
    (["render", "m.json", "--audio", "a.wav", "--out", "clip.avi"], "clip.mp4"),
    (["data"], "ACTION"),
    (["data", "build", "--samples", "many"], "whole number"),
    (["train", "everything"], "unknown recipe 'everything'"),
    (["train", "talker", "--minutes", "nan"], "minutes must be a number"),
    (["evaluate", "smell"], "invalid choice: 'smell'"),
    (["bench", "response", "--prompts", "0"], "whole number from 1 on"),
    (["weights", "melt"], "invalid choice: 'melt'"),
]


@pytest.mark.parametrize(("line", "reason"), MISTAKES, ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "")
def test_a_mistake_costs_one_line_and_exit_code_2(line: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("a2: ") and printed.err.count("\n") == 1
    assert reason in printed.err and "Traceback" not in printed.err


FAILURES = [
    (["say", "--audio", "/nowhere/question.wav"], "there is no file /nowhere/question.wav"),
    (["render", "/nowhere/answer.motion.json", "--audio", "a.wav"], "/nowhere/answer.motion.json: No such file or directory"),
    (["data", "report", "/nowhere"], "a2 data build"),
    (["train", "talker", "--device", "cpu", "--data", "/nowhere", "--out", "OUT"], "a2 data build"),
    (["train", "user_affect", "--device", "tape", "--out", "OUT"], "there is no device 'tape'"),
]


@pytest.mark.parametrize(("line", "reason"), FAILURES, ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "")
def test_a_failure_costs_one_line_and_exit_code_1(line: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path) if part == "OUT" else part for part in line]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("a2: ") and reason in last


def test_the_unexpected_is_one_line_and_debug_shows_where(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from a2llm.cli import train

    monkeypatch.setattr(train, "_list", lambda: {}["nothing"])
    assert main(["train"]) == 1
    assert capsys.readouterr().err == "a2: something unexpected happened (KeyError: 'nothing'); A2_DEBUG=1 shows where\n"
    monkeypatch.setenv("A2_DEBUG", "1")
    assert main(["train"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_is_one_line_and_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import signal

    from a2llm.cli import train

    def swallowed() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise RuntimeError("a library made this of it") from None

    before = signal.getsignal(signal.SIGINT)
    for action in (lambda: signal.raise_signal(signal.SIGINT), swallowed):
        monkeypatch.setattr(train, "_list", action)
        assert main(["train"]) == 130
        assert capsys.readouterr().err == "a2: interrupted\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_figures_are_flat_and_know_their_goals(tmp_path: Path) -> None:
    import numpy as np

    figures = {"rtf": np.float32(0.25), "part": {"talker": 0.1, "deep": {"er": 1}}, "words": np.arange(2)}
    write_figures(tmp_path / "new" / "figures.json", figures)
    written = json.loads((tmp_path / "new" / "figures.json").read_text())
    assert written == {"rtf": 0.25, "part_talker": 0.1, "part_deep_er": 1, "words": [0, 1]}
    assert list(flat(figures)) == list(written)
    assert verdict("rtf", 0.25) == ("<= 0.3", "[green]met[/]") and "missed" in verdict("f0_std_ratio", 1.3)[1]
    assert verdict("unheard_of", 1.0) == ("", "")


@pytest.mark.parametrize("command", [["evaluate", "voice", "--clips", "3"], ["bench", "response", "--prompts", "3"]], ids=" ".join)
def test_measurements_become_json_and_a_table(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The measurements are tested elsewhere; this test covers how they are called and shown."""
    from a2llm.evaluation import bench, run

    def measure(*asked: object, **options: object) -> dict[str, float]:
        asked[-1](3, 3)
        return {"wer_pct": 2.5, "n": asked[-2]}

    monkeypatch.setattr(run, "run_evaluation", measure)
    monkeypatch.setattr(bench, "bench_response", measure)
    assert main([*command, "--json", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text()) == {"wer_pct": 2.5, "n": 3}
    assert "wer_pct" in capsys.readouterr().out


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_stderr_and_never_fails(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from a2llm.cli import progress as shown

    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(shown, "QUIET_S", 0.0)
    with shown.progress("work") as on_progress:
        on_progress(0.5)
        on_progress(3, 4, {"loss": 1.25, "note": "text"})
        on_progress(9, 4)  # more than was foreseen
    with shown.progress("silent work"), shown.working("more work"):
        pass
    printed = capsys.readouterr()
    assert printed.out == "" and "work" in printed.err and "loss 1.25" in printed.err
