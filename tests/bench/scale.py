"""Many users on one machine: `make bench-scale JSON=FILE` (about 25 minutes; wants a quiet machine).

    streams   how many people one engine keeps talking to for a minute without a gap, batched against one at a time
    service   first sound and motion at the socket for 1, 2, 4, 8 people, as many as there are slots, and twice as many; refusals
    chain     gateway client -> Ray Serve -> Triton against the engine in process, with a tiny model; needs the extra `cluster`
    kills     the longest silence when a Triton, a replica or the host is killed in mid-sentence; needs the extra `cluster`

The file is written again after each part, and FILE.png after `service`; a part that is left out keeps the numbers that the file has.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

Report = dict[str, Any]
SLOTS = 8  # of the service: the gateway and the bench's own clients run on the same cores


def streams(report: Report) -> Report:
    from scale_engine import measure_streams

    return measure_streams(say)


def service(report: Report) -> Report:
    from scale_service import measure_service

    with tempfile.TemporaryDirectory(prefix="a2-bench-") as folder:
        return measure_service(Path(folder), SLOTS, say)


def chain(report: Report) -> Report:
    from chain import measure_chain

    return measure_chain(say)


def kills(report: Report) -> Report:
    from kill_gaps import measure_kill_gaps

    gaps = measure_kill_gaps()
    return {**{f"kill_gap_{name}": gap for name, gap in gaps.items()}, "kill_gap_max_ms": max(gaps.values())}


PARTS: dict[str, Callable[[Report], Report]] = {"streams": streams, "service": service, "chain": chain, "kills": kills}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("bench-scale.json"))
    parser.add_argument("--parts", default=",".join(PARTS), help="which, with commas between")
    options = parser.parse_args()
    chosen = options.parts.split(",")
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"unknown parts: {', '.join(sorted(unknown))}")
    report: Report = json.loads(options.json.read_text()) if options.json.exists() else {}
    for name in chosen:
        began_s = time.monotonic()
        say(f"--- {name}")
        report |= PARTS[name](report) | {f"{name}_took_s": round(time.monotonic() - began_s)}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
        if name == "service":
            from scale_plot import draw_latency

            draw_latency(report, options.json.with_suffix(".png"))
    print(json.dumps(report, indent=1))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
