"""The supervisor's command line, and the tie between a part and its starter."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from a2serve.local import program, tie
from a2serve.local.home import Home
from a2serve.local.parts import Ports, all_parts, choose_ports
from a2serve.local.state import Pid, State

WAIT_S = 60


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("A2_HOME", str(tmp_path))
    return program.find_home()


def command(*words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["a2serve.local", *words])
    program.main()


def test_down_where_nothing_runs_says_so(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command("down", monkeypatch=monkeypatch)
    assert "nothing" in capsys.readouterr().out


@pytest.mark.parametrize("words", [("--port", "70000"), ("--profile", "cloud"), ("sideways",)])
def test_a_wrong_word_is_refused(
    words: tuple[str, ...], home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command(*words, monkeypatch=monkeypatch)
    assert ended.value.code == 2 and words[-1] in capsys.readouterr().err


def test_a_second_supervisor_is_told_of_the_first(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with program.only_supervisor(home), pytest.raises(SystemExit, match="cannot start: "):
        command("--port", "0", "--no-browser", monkeypatch=monkeypatch)


def test_each_start_has_a_log_of_its_own_and_keeps_the_one_before(home: Home) -> None:
    (part, *_) = all_parts(choose_ports(0), home)
    home.run.mkdir(parents=True, exist_ok=True)
    for text in ("first", "second"):
        home.log(part.name).write_text(text)
        program._set_aside_log(home, part)
    assert not home.log(part.name).exists() and (home.run / f"{part.name}.log.1").read_text() == "second"


def test_the_welcome_says_where_to_go(home: Home) -> None:
    ports: Ports = choose_ports(0)
    text = program._welcome(all_parts(ports, home), home, f"http://127.0.0.1:{ports.gateway}/", "a2_dev_key", 12.34)
    for said in (f"http://127.0.0.1:{ports.gateway}/debug", "a2_dev_key", "ready after 12.3 s", "make down", "gateway", "valkey"):
        assert said in text


def test_what_a_killed_supervisor_left_is_stopped(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)  # as parts are started
    try:
        home.run.mkdir(parents=True, exist_ok=True)
        lost = Pid(left.pid, 0.0)  # its number belongs to somebody else now
        part = Pid.of(left.pid)
        assert part is not None
        State(lost, "http://127.0.0.1:1/", {"part": part}).write(home.state_file)
        program._sweep(home)
        assert left.wait(WAIT_S) != 0 and "stopping what it left behind" in capsys.readouterr().out
        assert not home.state_file.exists()
    finally:
        left.kill()
        left.wait(WAIT_S)


TIED = """
import os, subprocess, sys, time
print(subprocess.Popen([sys.executable, sys.argv[1], str(os.getpid()), "sleep", "600"]).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux'")
def test_a_part_ends_with_its_starter_however_that_ends() -> None:
    starter = subprocess.Popen([sys.executable, "-c", TIED, tie.__file__], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    part = psutil.Process(int(starter.stdout.readline()))
    deadline = time.monotonic() + WAIT_S
    while part.name() != "sleep" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert part.name() == "sleep", "the tie has become the command"
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait(WAIT_S)
    starter.stdout.close()
    part.wait(WAIT_S) if part.is_running() else None
    assert not part.is_running() or part.status() == psutil.STATUS_ZOMBIE


def test_a_tie_to_somebody_who_is_gone_does_not_start_the_command(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, tie.__file__, "1", "touch", tmp_path / "made"], capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 1 and "the supervisor is gone" in done.stderr and not (tmp_path / "made").exists()


def test_a_command_that_is_not_there_is_one_line() -> None:
    command = [sys.executable, tie.__file__, str(os.getpid()), "no-such-command"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 1 and done.stderr.strip() == "no-such-command: No such file or directory"
