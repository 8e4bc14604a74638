"""The command line of the supervisor: `python -m a2serve.local [--port N] [--profile default|cluster] [--no-browser] [down]`."""

import argparse
import asyncio
import contextlib
import signal
import sys
import time
import webbrowser
from collections.abc import Callable

from a2serve.local.advice import explain
from a2serve.local.cluster import choose_cluster_ports, cluster_parts
from a2serve.local.dev_key import dev_key
from a2serve.local.down import stop_what_runs
from a2serve.local.home import Home, find_home
from a2serve.local.parts import Ports, all_parts, choose_ports, missing_page, table
from a2serve.local.ports import HOST, port_number
from a2serve.local.process import Part
from a2serve.local.state import AlreadyRunning, State, only_supervisor, read_state
from a2serve.local.supervisor import Supervisor
from a2serve.local.triton_install import install_triton

REPEATED_SIGNAL_S = 0.5  # make passes on what the terminal has sent already
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Runs everything until Ctrl-C, SIGTERM or the terminal's end; or stops what runs (`down`)."""
    arguments = _arguments()
    home = find_home()
    if arguments.action == "down":
        stop_what_runs(home, say)
        return
    began_s = time.monotonic()
    try:
        with only_supervisor(home):
            kept_alive = _up(home, arguments.port, arguments.profile, not arguments.no_browser, began_s)
    except (OSError, ImportError, AlreadyRunning) as error:
        sys.exit(f"cannot start: {explain(error)}")
    except KeyboardInterrupt:  # before the first part was started
        sys.exit(130)
    sys.exit(not kept_alive)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m a2serve.local", description="A2-LLM Serve on this machine, on loopback only.")
    parser.add_argument("action", nargs="?", choices=["up", "down"], default="up", help="down: stop what runs, from any terminal")
    parser.add_argument(
        "--port", type=port_number, default=8080, metavar="PORT", help="of the page and the API; the next free one if taken (default 8080)"
    )
    parser.add_argument(
        "--profile",
        choices=["default", "cluster"],
        default="default",
        help="what runs the model: one process (default), or replicas behind Ray Serve, each with a Triton",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")
    return parser.parse_args()


def _up(home: Home, port: int, profile: str, browse: bool, began_s: float) -> bool:
    _sweep(home)
    ports = choose_ports(port)
    if port and ports.gateway != port:
        say(f"port {port} is taken: using {ports.gateway}")
    key, url, parts = dev_key(home), f"http://{HOST}:{ports.gateway}/", _parts(profile, ports, home)
    for part in parts:
        _set_aside_log(home, part)
    say(f"starting {len(parts)} parts; logs: {home.run}")
    supervisor = Supervisor(parts, home, State.mine(url), say)

    def announce() -> None:
        say(_welcome(parts, home, url, key, time.monotonic() - began_s))
        if browse and sys.stdout.isatty() and not missing_page():
            webbrowser.open(url)

    return asyncio.run(_run(supervisor, announce))


def _parts(profile: str, ports: Ports, home: Home) -> list[Part]:
    if profile == "cluster":
        return cluster_parts(ports, choose_cluster_ports(), home, install_triton(say))
    return all_parts(ports, home)


async def _run(supervisor: Supervisor, announce: Callable[[], None]) -> bool:
    stop, asked_s = asyncio.Event(), 0.0

    def asked_to_stop() -> None:
        nonlocal asked_s
        if not stop.is_set():
            say("stopping (again: at once)")
            stop.set()
            asked_s = time.monotonic()
        elif time.monotonic() > asked_s + REPEATED_SIGNAL_S:
            supervisor.kill()

    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            asyncio.get_running_loop().add_signal_handler(number, asked_to_stop)
    kept_alive = await supervisor.run(stop, announce)
    say("stopped")
    return kept_alive


def _sweep(home: Home) -> None:
    """We hold the lock: whatever the state file still names was left behind by a supervisor that was killed."""
    if read_state(home.state_file):
        say("the last run was not stopped properly: stopping what it left behind")
        stop_what_runs(home, lambda _: None)


def _set_aside_log(home: Home, part: Part) -> None:
    """Each start has a log of its own; the one before is kept as .1."""
    log = home.log(part.name)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))


def _welcome(parts: list[Part], home: Home, url: str, key: str, took_s: float) -> str:
    lines = [
        "",
        table(parts, home),
        "",
        f"ready after {took_s:.1f} s",
        "",
        f"  talk to it     {url}",
        f"  what it does   {url}debug",
        f"  API key        {key}   (tenant dev; kept in {home.key_file})",
        "",
        "Ctrl-C stops everything; so does `make down` from another terminal",
    ]
    if problem := missing_page():
        lines.insert(4, f"  {problem}")
    return "\n".join(lines)


def say(text: str) -> None:
    """To the terminal, if it is still there."""
    with contextlib.suppress(OSError):
        print(text, flush=True)
