"""Attacks a running service of real parts: two gateways, Valkey, a Kafka-wire broker, the recorder and the model. Flat JSON.

    make attack JSON=attack.json                      # all of it, about three minutes
    python -m bench.attack --only flood,fuzz          # some of it (PYTHONPATH=tests)

Each figure has a value that it must have (docs/security.md, "The drill"); the exit status is 1 where one has not. The file is written
again after each attack, so what was measured stays if a later one fails.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.attack import back, flood, fuzz, ledger, secrets, words
from bench.attack.stand import Stand, standing
from support.findings_table import SECURITY, rows

ATTACKS: dict[str, Callable[[Stand], Awaitable[dict[str, float]]]] = {
    "secrets": secrets.escapes,
    "flood": flood.flood,
    "cut": ledger.cut_responses,
    "words": words.deleted,
    "fuzz": fuzz.fuzz,
    "revoked": back.revoked,
    "away": ledger.redis_away,
    "restart": back.redis_restarts,
    "killed": ledger.gateway_killed,
}
# The figure, and what it may be at most or (>=) has to be at least.
BARS = {
    "findings_open": 0,
    "secret_escapes_tried": ">= 300",
    "secret_escapes": 0,
    "gateway_cpu_s_per_1000_items": 1.5,
    "cut_answers_unbilled": 0,
    "redis_away_rows_lost": 0,
    "killed_gateway_sockets": ">= 5",
    "killed_gateway_answers_lost": 0,
    "killed_gateway_answers_unbilled": 0,
    "killed_gateway_answers_untold": 0,
    "killed_gateway_sessions_unclosed": 0,
    "event_numbers_repeated": 0,
    "resume_after_crash_ms_max": 2000,
    "revoked_socket_alive_s_max": 5,
    "redis_restart_requests": ">= 300",
    "redis_restart_errors": 0,
    "fuzz_requests": ">= 5000",
    "fuzz_5xx": 0,
    "sockets_killed_by_json": 0,
    "words_left_after_delete": 0,
    "neighbour_wait_ratio": 3,
}


def findings_open() -> int:
    """Rows of the table in docs/security.md whose state is open."""
    return sum(row["state"] == "open" for row in rows(SECURITY))


def misses(report: dict[str, float]) -> list[str]:
    """Names the figures that miss their bar. Those that were not measured are left out."""
    found: list[str] = []
    for name, bar in BARS.items():
        least = isinstance(bar, str)
        limit = float(str(bar).removeprefix(">= "))
        if name in report and (report[name] < limit if least else report[name] > limit):
            found.append(f"{name} is {report[name]}, wanted {bar if least else f'<= {bar}'}")
    return found


async def run(chosen: list[str], path: Path) -> dict[str, float]:
    """The attacks one after the other."""
    report: dict[str, float] = {"findings_open": findings_open()}
    with tempfile.TemporaryDirectory(prefix="a2-attack-") as folder, standing(Path(folder)) as stand:
        for name in chosen:
            began_s = time.monotonic()
            print(f"{name} ...", file=sys.stderr, flush=True)
            report |= await ATTACKS[name](stand)
            if "neighbour_wait_ms_control" in report:
                report["neighbour_wait_ratio"] = round(report["neighbour_wait_ms_under_items"] / report["neighbour_wait_ms_control"], 2)
            print(f"{name}: {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
            path.write_text(json.dumps(report, indent=1) + "\n")
    return report


def main() -> int:
    """Runs the attacks and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("bench-attack.json"), help="where the figures go")
    parser.add_argument("--only", default=",".join(ATTACKS), help=f"some of {', '.join(ATTACKS)}")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(ATTACKS):
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    report = asyncio.run(run(chosen, options.json))
    print(json.dumps(report, indent=1))
    for miss in misses(report):
        print(miss, file=sys.stderr)
    return bool(misses(report))


if __name__ == "__main__":
    sys.exit(main())
