"""The scaling table's numbers on a machine with a GPU: `make bench-gpu JSON=FILE` (20 minutes or more; wants the GPU for itself).

How many people one engine talks to without a gap, the time of a step by batch, memory. Guesses are doubled until one is
too many, then narrowed down, then proven for a minute. docs/scaling.md says what the numbers are for.

`--device cpu --tiny` runs the same on a CPU with a tiny random model in seconds: a check of this program, no measurement.
"""

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import scale_engine
import torch
from scale_engine import OneAtATime, listen, measure_streams

from a2llm.api import load_parts
from a2llm.engine import Engine, Parts

MOST_STREAMS = 512


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("bench-gpu.json"))
    parser.add_argument("--device", default="cuda", help="cuda or cuda:n")
    parser.add_argument("--tiny", action="store_true", help="with --device cpu: a tiny random model, for seconds")
    options = parser.parse_args(arguments)
    if options.tiny != (options.device == "cpu"):
        parser.error("--tiny and --device cpu go together: what they check is this program, not a machine")
    if not options.tiny and not torch.cuda.is_available():
        parser.error("no CUDA device: this wants a GPU and a CUDA build of torch; `--device cpu --tiny` only shows that it runs")
    report = tiny() if options.tiny else measure(options.device)
    options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


def measure(device: str) -> dict[str, Any]:
    """The model that ships, on a GPU."""
    parts = load_parts(device=device, threads=2)
    guesses = guess(parts, OneAtATime, MOST_STREAMS), guess(parts, Engine, MOST_STREAMS)
    sizes = [2**power for power in range((2 * guesses[1]).bit_length())]
    numbers = measure_streams(say, parts, guesses, sizes, MOST_STREAMS)
    properties = torch.cuda.get_device_properties(device)
    return {
        "gpu_name": properties.name,
        "gpu_memory_mb": properties.total_memory // 2**20,
        "memory_peak_mb": torch.cuda.max_memory_allocated(device) // 2**20,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "machine_processor": platform.processor() or platform.machine(),
        "threads": 2,
        **numbers,
    }


def tiny() -> dict[str, Any]:
    """Every step of `measure`, with numbers that mean nothing."""
    sys.path.append(str(Path(__file__).parents[1]))
    from support.models.tiny import parts

    scale_engine.PROBE_S, scale_engine.PROOF_S, scale_engine.STEPS_S = 0.4, 0.4, 0.1
    model = parts("torch")
    guesses = guess(model, OneAtATime, 1), guess(model, Engine, 2)
    return {"gpu_name": "", "torch": torch.__version__, **measure_streams(say, model, guesses, [1, 2], limit=2)}


def guess(parts: Parts, engine_type: type[Engine], most: int) -> int:
    """About how many listeners an engine holds: doubled, then halved into the gap until it is an eighth."""

    def held(streams: int) -> bool:
        return listen(parts, streams, scale_engine.PROBE_S, engine_type).held

    low = 1
    while 2 * low <= most and held(2 * low):
        low *= 2
    high = min(2 * low, most + 1)
    while high - low > max(1, low // 8):
        middle = (low + high) // 2
        low, high = (middle, high) if held(middle) else (low, middle)
    say(f"{engine_type.__name__}: about {low}")
    return low


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
