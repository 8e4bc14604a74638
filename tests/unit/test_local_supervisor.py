"""The supervisor with tiny dummy processes: order, restarts, failures in one line, nothing left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from a2serve.local.down import stop_what_runs
from a2serve.local.home import Home, find_home
from a2serve.local.ports import first_free_port, free_ports
from a2serve.local.process import Part, PartFailed, Process, last_words
from a2serve.local.state import AlreadyRunning, Pid, State, only_supervisor, read_state
from a2serve.local.supervisor import Supervisor

PATIENCE_S = 120  # generous: the machine may be busy
# Notes its start and its end in a file `journal`; ready when the file named after it exists.
BODY = """
import os, signal, sys, time
name, folder = sys.argv[1], sys.argv[2]
def note(word):
    with open(f"{folder}/journal", "a") as file: file.write(f"{word} {name}\\n")
def end(*_):
    note("end"); os._exit(0)
signal.signal(signal.SIGTERM, end)
note("start")
open(f"{folder}/{name}.ready", "w").close()
while True: time.sleep(0.05)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "run").mkdir()
    return Home(tmp_path / "run", tmp_path, tmp_path / "tenants.toml")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def dummy(name: str, home: Home, body: str = BODY, **changes: object) -> Part:
    ready = home.run / f"{name}.ready"

    async def probe() -> bool:
        return ready.exists()

    command = (sys.executable, "-S", "-c", body, name, str(home.run))
    part = Part(name, "a dummy", command, probe, "nowhere", ready_s=PATIENCE_S, stop_s=PATIENCE_S)
    return replace(part, **changes)  # type: ignore[arg-type]


def run(parts: list[Part], home: Home, when_ready: Callable[[asyncio.Event], None], last_line: str = "") -> tuple[bool, list[str]]:
    """Whether it ended because it was asked to, and what was said. Stops when `last_line` is said."""
    said: list[str] = []

    async def main() -> bool:
        stop = asyncio.Event()

        def say(text: str) -> None:
            said.append(text)
            if text == last_line:
                stop.set()

        supervisor = Supervisor(parts, home, State.mine("http://nowhere/"), say)
        async with asyncio.timeout(PATIENCE_S):
            return await supervisor.run(stop, lambda: when_ready(stop))

    return asyncio.run(main()), said


def journal(home: Home) -> list[str]:
    return (home.run / "journal").read_text().splitlines()


def test_parts_start_after_what_they_need_and_stop_in_reverse(home: Home) -> None:
    parts = [dummy("store", home), dummy("model", home), dummy("door", home, needs=("store", "model"))]
    asked, said = run(parts, home, lambda stop: stop.set())
    lines = journal(home)
    assert asked
    assert set(lines[:2]) == {"start store", "start model"}
    assert lines[2:] == ["start door", "end door", "end model", "end store"]
    assert sum("ready after" in line for line in said) == 3
    assert read_state(home.state_file) is None


def test_the_state_file_names_every_process_while_it_runs(home: Home) -> None:
    seen: list[State | None] = []

    def look(stop: asyncio.Event) -> None:
        seen.append(read_state(home.state_file))
        stop.set()

    run([dummy("store", home)], home, look)
    state = seen[0]
    assert state is not None
    assert state.supervisor.pid == os.getpid()
    assert list(state.parts) == ["store"]
    assert not state.parts["store"].is_alive


def test_a_part_that_cannot_start_is_explained_in_one_line_and_everything_stops(home: Home) -> None:
    broken = dummy("broken", home, body="raise SystemExit('no such weights')")
    asked, said = run([dummy("store", home), broken], home, lambda stop: None)
    assert not asked
    assert said[-1] == f"broken stopped with exit code 1: no such weights; its log: {home.log('broken')}"
    assert "end store" in journal(home) or "start store" not in journal(home)


def test_a_part_that_dies_is_restarted_then_given_up(home: Home) -> None:
    dies = BODY.replace("while True: time.sleep(0.05)", "time.sleep(0.2); os.kill(os.getpid(), signal.SIGKILL)")
    asked, said = run([dummy("store", home), dummy("weak", home, body=dies, restarts=1)], home, lambda stop: None)
    assert not asked
    assert journal(home).count("start weak") == 2
    assert any(line.startswith("weak was killed by SIGKILL") and "(restarting, 1 of 1)" in line for line in said)
    assert "(given up after 1 restarts)" in said[-1]
    assert journal(home)[-1] == "end store"


def test_a_part_that_comes_back_keeps_the_rest_running(home: Home) -> None:
    first_time = f"if not os.path.exists('{home.run}/died'):\n    open('{home.run}/died', 'w').close(); sys.exit('oops')\n"
    once = BODY.replace("while True:", first_time + "while True:")
    asked, said = run([dummy("weak", home, body=once)], home, lambda stop: None, last_line="weak is back")
    assert asked
    assert any("oops" in line for line in said)


def test_a_part_that_never_gets_ready_says_so(home: Home) -> None:
    async def never() -> bool:
        return False

    _, said = run([dummy("slow", home, probe=never, ready_s=0.1)], home, lambda stop: None)
    assert said == [f"slow was not ready within 0 s; its log: {home.log('slow')}"]


def test_a_part_that_ignores_sigterm_is_killed_with_its_children(home: Home) -> None:
    with_child = "import subprocess; note(str(subprocess.Popen(['sleep', '600']).pid))"
    stubborn = BODY.replace("os._exit(0)", "pass").replace('note("start")', with_child)
    run([dummy("stubborn", home, body=stubborn, stop_s=0.2)], home, lambda stop: stop.set())
    child = int(journal(home)[0].split()[0])
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


def test_a_part_that_ends_its_own_is_asked_alone_and_what_it_leaves_in_groups_of_their_own_is_killed(home: Home) -> None:
    body = BODY.replace('note("start")', "import subprocess; note(str(subprocess.Popen(['sleep', '600'], process_group=0).pid))")
    run([dummy("head", home, body=body, ends_its_own=True)], home, lambda stop: stop.set())
    lines = journal(home)
    assert lines[-1] == "end head"
    left = int(lines[0].split()[0])
    wait_for(lambda: not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE)


def test_nothing_is_stopped_that_never_started(home: Home) -> None:
    asyncio.run(Process(dummy("idle", home), home.log("idle")).stop())


def test_a_missing_command_is_explained(home: Home) -> None:
    async def never() -> bool:
        return False

    async def start() -> None:
        process = Process(dummy("gone", home, command=("/no/such/program",), probe=never), home.log("gone"))
        await process.start()
        await process.ready()

    with pytest.raises(PartFailed, match="/no/such/program: No such file or directory"):
        asyncio.run(start())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a parent's death")
def test_parts_end_when_the_supervisor_is_killed(home: Home) -> None:
    program = f"""
import asyncio, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from test_local_supervisor import Home, dummy, run
home = Home(Path({str(home.run)!r}), Path("/nowhere"), Path("/nowhere"))
run([dummy("store", home)], home, lambda stop: print("ready", flush=True))
"""
    here = str(Path(__file__).parent)
    supervisor = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": here})
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == b"ready\n"
    state = read_state(home.state_file)
    assert state is not None and state.parts["store"].is_alive
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    wait_for(lambda: not state.parts["store"].is_alive)


def wait_for(condition: Callable[[], bool]) -> None:
    last_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < last_s
        time.sleep(0.02)


def test_down_stops_what_was_left_behind(home: Home, sleeper: "subprocess.Popen[bytes]") -> None:
    pid = Pid.of(sleeper.pid)
    assert pid is not None
    State(Pid(2**22 - 1, 0.0), "http://nowhere/", {"store": pid}).write(home.state_file)
    said: list[str] = []
    stop_what_runs(home, said.append)
    assert sleeper.wait(PATIENCE_S) == -signal.SIGTERM
    assert said == ["stopped store, which was left behind", "stopped"]
    assert not home.state_file.exists()


def test_down_spares_a_process_that_got_the_number_later(home: Home, sleeper: "subprocess.Popen[bytes]") -> None:
    State(Pid(2**22 - 1, 0.0), "http://nowhere/", {"store": Pid(sleeper.pid, 1.0)}).write(home.state_file)
    stop_what_runs(home, lambda _: None)
    assert sleeper.poll() is None


def test_down_with_nothing_running_says_so(home: Home) -> None:
    said: list[str] = []
    stop_what_runs(home, said.append)
    assert said == ["nothing runs"]
    home.state_file.write_text("{broken")
    stop_what_runs(home, said.append)
    assert said == ["nothing runs", "nothing runs"]


def test_only_one_supervisor_at_a_time(home: Home) -> None:
    with only_supervisor(home):
        State.mine("http://127.0.0.1:8080/").write(home.state_file)
        with pytest.raises(AlreadyRunning, match="it already runs at"), only_supervisor(home):
            pass
    with only_supervisor(home):
        pass


def test_a_taken_port_gives_the_next_one() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < first_free_port(port) < port + 50
    assert len(set(free_ports(6))) == 6


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", ""),
        ("one\ntwo\n\n", "two"),
        ('{"message": "not serving", "level": "error"}\n', "not serving"),
        ('{"message": "failed", "error": "Traceback\\n  File\\nValueError: wrong shape"}\n', "ValueError: wrong shape"),
        ("x" * 500, "x" * 399 + "…"),
    ],
)
def test_the_last_words_of_a_log(log: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(log)
    assert last_words(path) == said
    assert last_words(tmp_path / "none") == ""


def test_a2_home_holds_everything(a2_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("A2_RUN_FOLDER", "A2_TENANTS_FILE"):
        monkeypatch.delenv(variable, raising=False)
    home = find_home()
    assert (home.run, home.data) == (a2_home / "run", a2_home)
    assert (home.tenants_file, home.key_file) == (a2_home / "tenants.toml", a2_home / "dev_key")
    monkeypatch.setenv("A2_RUN_FOLDER", "/elsewhere")
    assert find_home().run == Path("/elsewhere")


def test_paths_agree_with_the_model_and_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """`local` imports neither, so the rule is repeated there."""
    from a2llm.cache import cache_dir
    from a2serve.gateway.settings import default_tenants_file

    for home in ("/some/home", ""):
        monkeypatch.setenv("A2_HOME", home)
        assert find_home().run == cache_dir() / "run"
        assert find_home().tenants_file == default_tenants_file()
