"""Speed and fidelity of the CPU backbone, in pairs with the torch float32 reference so that a busy machine hits both.

    python tests/bench/bench_backbone.py [--folder LLAMA_FOLDER] [--threads 2] [--reps 20] [--json out.json]

Milliseconds per call: median, the fastest, and the least CPU time of all threads (which neighbours on the machine
disturb least; with --threads 1 it is the quiet machine's time). A decode call steps every row by one token with its
logits; rows stand at ragged positions up to the context named.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch
from torch import Tensor

from a2llm import weights
from a2llm.language.runtime import Backbone, load_backbone

TEXT = (
    "The sun was setting over the small town, and the children were still playing in the street. Anna called her "
    "brother from the window, because dinner was ready and the soup was getting cold. He waved at her, laughed, and "
    "kicked the ball one more time before he ran home. What a wonderful day it had been, she thought, and closed the "
    "curtains. Tomorrow they would visit their grandmother, who lived by the sea and baked the best cakes in the world."
)
CONTEXTS, BATCHES, PROMPTS = (150, 400), (1, 4, 8), (30, 120)
PAIRED = {(1, 150), (4, 150)}  # cells that torch runs too: it is slow
Timed = dict[str, list[tuple[float, float]]]  # wall, CPU


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    folder = options.folder or weights.convert("backbone")
    load_backbone(folder, device="cpu", runtime="openvino", threads=options.threads)  # builds the cache, warms the disk
    start = perf_counter()
    fast = load_backbone(folder, device="cpu", runtime="openvino", threads=options.threads)
    report: dict[str, float] = {"threads": options.threads, "load_s": round(perf_counter() - start, 2)}
    reference = load_backbone(folder, device="cpu", runtime="torch")
    report |= fidelity(fast, reference, token_ids(folder))
    report |= prefill(fast, options.reps) | decode(fast, reference, options.reps)
    text = json.dumps(report, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


def fidelity(fast: Backbone, reference: Backbone, ids: Tensor) -> dict[str, float]:
    """Teacher-forced over a text: ids [1, T]. The error of a hidden state is relative to its length."""
    hidden, expected = fast.forward(ids)[0], reference.forward(ids)[0]
    error = (hidden - expected).norm(dim=-1) / expected.norm(dim=-1)
    logits, wanted = fast.logits(hidden), reference.logits(expected)
    agree = (logits.argmax(-1) == wanted.argmax(-1)).float().mean()
    return {
        "tokens": ids.shape[1],
        "top1_agreement": round(float(agree), 4),
        "hidden_error_max": round(float(error.max()), 4),
        "hidden_error_mean": round(float(error.mean()), 4),
        "logit_error_max": round(float((logits - wanted).abs().max()), 3),
    }


def prefill(fast: Backbone, reps: int) -> dict[str, float]:
    report: dict[str, float] = {}
    for tokens in PROMPTS:
        ids = torch.arange(tokens)[None]
        timed = measure({f"prefill_{tokens}": lambda ids=ids, n=tokens: fast.forward(ids, fast.new_cache(1, n))}, reps)
        report |= summary(timed)
    return report


def decode(fast: Backbone, reference: Backbone, reps: int) -> dict[str, float]:
    report: dict[str, float] = {}
    for batch in BATCHES:
        for context in CONTEXTS:
            name = f"decode_b{batch}_c{context}"
            calls = {f"int8_{name}": stepper(fast, batch, context, reps)}
            if (batch, context) in PAIRED:
                calls[f"torch_{name}"] = stepper(reference, batch, context, reps)
            report |= summary(measure(calls, reps))
    return report


def stepper(backbone: Backbone, batch: int, context: int, reps: int) -> Callable[[], object]:
    """A call that steps `batch` rows which stand at ragged positions up to `context`."""
    cache = backbone.new_cache(batch, context + reps + 8)
    lengths = torch.tensor([context - 7 * row for row in range(batch)])
    backbone.forward(torch.arange(context).expand(batch, -1), cache, lengths)
    ids = torch.arange(batch)[:, None]
    return lambda: backbone.logits(backbone.forward(ids, cache)[:, -1])


def measure(calls: dict[str, Callable[[], object]], reps: int) -> Timed:
    """Wall and CPU milliseconds of each call, taken in turns; the first two rounds are not counted."""
    timed: Timed = {name: [] for name in calls}
    for round_ in range(reps + 2):
        for name, call in calls.items():
            start = perf_counter(), process_time()
            call()
            if round_ >= 2:
                timed[name].append(((perf_counter() - start[0]) * 1e3, (process_time() - start[1]) * 1e3))
    return timed


def summary(timed: Timed) -> dict[str, float]:
    report: dict[str, float] = {}
    for name, times in timed.items():
        wall, cpu = zip(*times, strict=True)
        report |= {f"{name}_p50_ms": round(median(wall), 1), f"{name}_min_ms": round(min(wall), 1)}
        report[f"{name}_cpu_ms"] = round(min(cpu), 1)
    return report


def token_ids(folder: Path) -> Tensor:
    from tokenizers import Tokenizer

    return torch.tensor([Tokenizer.from_file(str(folder / "tokenizer.json")).encode(TEXT).ids])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="a Llama folder (default: the packaged backbone)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--reps", type=int, default=20)
    parser.add_argument("--json", type=Path, help="also write the report to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
