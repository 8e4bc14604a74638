"""Measures what Triton costs over the engine in process: the same requests to both, on the same machine, one after the other.

`python tests/bench/triton_overhead.py --json triton.json [--tiny] [--streams 8] [--asks 40]`: first packet, in pairs; then paced
streams at once, and how late each packet is. (Not named triton.py: torch would take it for the compiler of that name.)
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where `support` is

import numpy as np
from support.models.cli_model import write_tiny_model
from support.models.gguf_mini import write_mini_gguf
from support.servers.triton import running

from a2llm.clock import FrameClock
from a2llm.language.chat import find_persona
from a2llm.messages import ResponseOptions, ResponseRequest, UserTurn
from a2serve.inference.engine_client import EngineClient, LocalEngine
from a2serve.inference.engine_host import EngineHost
from a2serve.inference.host import SWITCH_INTERVAL_S
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import load_core
from a2serve.inference.settings import InferenceSettings
from a2serve.inference.triton_engine import TritonEngine

LEAD_MS = 500  # the least that may be set: pacing begins early, and with it what is measured
TOKENS = 120


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.tiny:
            (folder / "model").mkdir()
            os.environ["A2_MODEL"] = str(write_tiny_model(folder / "model"))
            os.environ["A2_WEIGHTS_BACKBONE"] = str(write_mini_gguf(folder / "mini.gguf"))
        settings = InferenceSettings(slots=arguments.streams, threads=arguments.threads, lead_ms=LEAD_MS, crowded_lead_ms=LEAD_MS)
        chosen = {"slots": settings.slots, "threads": settings.threads, "lead_ms": LEAD_MS, "crowded_lead_ms": LEAD_MS}
        load = os.getloadavg()[0]
        with running(folder, {}, **chosen) as triton:
            figures = asyncio.run(_measure(settings, triton.url, arguments.asks, arguments.streams))
    figures |= {"streams": arguments.streams, "asks": arguments.asks, "tiny": arguments.tiny, "machine_load_average_before": load}
    text = json.dumps(figures, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--tiny", action="store_true", help="a tiny random model: the way, without the computing")
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--asks", type=int, default=40, help="pairs of which the first packet is timed")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


async def _measure(settings: InferenceSettings, url: str, asks: int, streams: int) -> dict[str, float | bool]:
    async with _in_process(settings) as local, _behind_triton(url) as triton:
        engines: dict[str, EngineClient] = {"in_process": local, "triton": triton}
        first = {name: [] for name in engines}
        for index in range(asks):
            for name, engine in engines.items():
                first[name].append(await _first_packet_ms(engine, _ask(f"first-{index}", index)))
        for index in range(asks):
            for engine in engines.values():
                await engine.release(f"first-{index}")
        late = {name: await _lateness_ms(engine, streams) for name, engine in engines.items()}
    over = np.array(first["triton"]) - np.array(first["in_process"])
    figures = {"first_packet_overhead_p50_ms": _percentile(over, 50), "first_packet_overhead_p95_ms": _percentile(over, 95)}
    for name in engines:
        figures[f"{name}_first_packet_p50_ms"] = _percentile(first[name], 50)
        for share in (50, 99):
            figures[f"{name}_packet_p{share}_ms_at_{streams}"] = _percentile(late[name], share)
    return figures


@asynccontextmanager
async def _in_process(settings: InferenceSettings) -> AsyncGenerator[LocalEngine, None]:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    metrics = Metrics()
    host = EngineHost(lambda: load_core(settings, metrics), lambda: None)
    await host.start()
    try:
        yield LocalEngine(host, settings.slots, metrics)
    finally:
        await host.stop()


@asynccontextmanager
async def _behind_triton(url: str) -> AsyncGenerator[TritonEngine, None]:
    engine = TritonEngine(url)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def _ask(session: str, seed: int, burst: bool = False) -> ResponseRequest:
    text = UserTurn("What would you do on a rainy day with nothing planned at all?")
    request = ResponseRequest(session, f"{session}-{seed}", (text,), ResponseOptions(seed, TOKENS), burst=burst)
    return request.answered_by(find_persona("ada"))


async def _first_packet_ms(engine: EngineClient, ask: ResponseRequest) -> float:
    started_s = time.perf_counter()
    async with aclosing(engine.respond(ask)) as pieces:
        async for piece in pieces:
            if len(piece.pcm):
                break
    first_ms = (time.perf_counter() - started_s) * 1000
    await asyncio.sleep(0.1)  # until the engine has noticed that nobody listens
    return first_ms


async def _lateness_ms(engine: EngineClient, streams: int) -> list[float]:
    """Lateness of every packet of paced streams, against the best of its stream: 0 would be a clock."""
    every = await asyncio.gather(*(_late_in_one_ms(engine, _ask(f"paced-{index}", index)) for index in range(streams)))
    return [late for one in every for late in one]


async def _late_in_one_ms(engine: EngineClient, ask: ResponseRequest) -> list[float]:
    rate_hz, offsets_ms = FrameClock().sample_rate_hz, []
    async for piece in engine.respond(ask):
        if len(piece.pcm) and piece.pts_samples * 1000 / rate_hz > 2 * LEAD_MS:  # before, it comes as fast as it can
            offsets_ms.append(time.perf_counter() * 1000 - piece.pts_samples * 1000 / rate_hz)
    return [offset - min(offsets_ms) for offset in offsets_ms]


def _percentile(values: Sequence[float] | np.ndarray, share: int) -> float:
    return round(float(np.percentile(values, share)), 2)


if __name__ == "__main__":
    main()
