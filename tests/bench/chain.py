"""Measures what the whole chain costs over the engine in process: `python tests/bench/chain.py --json chain.json [--real]`.

`chain_overhead`: first packet with sound and motion, requested through the gateway's client, HAProxy, a Ray replica and its Triton,
minus
the same requested of an engine in this process, in pairs. `packet`: made in the engine's process -> received by the gateway's client,
of
every packet of streams at the pace of speech. Both clocks are the machine's monotonic one. Tiny weights, unless `--real`.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, aclosing
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from support.models.cli_model import write_tiny_model
from support.models.gguf_mini import write_mini_gguf
from support.servers import triton as triton_stand
from support.servers.cluster import cluster

from a2llm.messages import ResponseOptions, ResponseRequest, UserTurn
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.proto.convert import to_wire
from a2serve.gateway.model_client.grpc_client import GrpcInference
from a2serve.inference import wire
from a2serve.inference.engine_client import LocalEngine
from a2serve.inference.engine_host import EngineHost
from a2serve.inference.host import SWITCH_INTERVAL_S
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import Facts, load_core, read_facts
from a2serve.inference.settings import InferenceSettings

STREAMS, ROUNDS, ASKS, LEFT_OUT = 8, 3, 40, 20  # the last: pairs that warm up
SETTLED_NS = 1_000_000_000
APART_S, MOST_ASKED = 0.2, 20
ENGINE: dict[str, object] = {"slots": STREAMS, "threads": 1, "lead_ms": 500, "crowded_lead_ms": 500}
QUESTION = "What would you do on a rainy day with nothing planned at all?"
STAMPING = """
import time
from a2serve.inference import wire


class Stamping(wire.PacketStream):
    def packet(self, output):
        made = super().packet(output)
        made.text = str(time.monotonic_ns())
        return made


wire.PacketStream = Stamping
"""
Say = Callable[[str], None]


def measure_chain(say: Say = print, real: bool = False, asks: int = ASKS) -> dict[str, float]:
    """chain_overhead_p50_ms, chain_overhead_p95_ms, packet_p50_ms_at_8, packet_p99_ms_at_8. About a minute and a half."""
    with tempfile.TemporaryDirectory(prefix="a2-chain-") as name, ExitStack() as changed:
        folder = Path(name)
        changed.enter_context(patch.object(triton_stand, "new_repository", _stamping_repository(triton_stand.new_repository)))
        if not real:
            (folder / "model").mkdir()
            tiny = {
                "A2_MODEL": write_tiny_model(folder / "model"),
                "A2_HOME": folder / "home",
                "A2_WEIGHTS_BACKBONE": write_mini_gguf(folder / "mini.gguf"),
            }
            changed.enter_context(patch.dict(os.environ, {key: str(path) for key, path in tiny.items()}))
        with cluster(folder, 1, ENGINE, replicas_min=1, replicas_max=1, drain_s=1) as served:
            say("the cluster is up")
            return asyncio.run(_measure(served.client(), asks, say))


def _stamping_repository(new: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """A model whose packets say when they were made, in place of their words."""

    def stamping(folder: Path) -> Path:
        repository = new(folder)
        entry = repository / "a2llm/1/model.py"
        entry.write_text(entry.read_text() + STAMPING)
        return repository

    return stamping


async def _measure(client: GrpcInference, asks: int, say: Say) -> dict[str, float]:
    try:
        over_ms = await _overhead_ms(client, asks)
        say(f"first packet: {np.median(over_ms):.1f} ms more than in process")
        packets_ms: list[float] = []
        for first in range(0, ROUNDS * STREAMS, STREAMS):
            streams = await asyncio.gather(*(_packets(client, index, first + index) for index in range(STREAMS)))
            steady = max(stream[0][0] for stream in streams) + SETTLED_NS  # all speak, at the pace of speech
            packets_ms += [ms for stream in streams for made, ms in stream if made >= steady]
    finally:
        await client.close()
    say(f"{len(packets_ms)} packets of {STREAMS} streams")
    named = {"chain_overhead": (over_ms, (50, 95), ""), "packet": (packets_ms, (50, 99), f"_at_{STREAMS}")}
    return {
        f"{name}_p{share}_ms{where}": round(float(np.percentile(values, share)), 2)
        for name, (values, shares, where) in named.items()
        for share in shares
    }


async def _overhead_ms(client: GrpcInference, asks: int) -> list[float]:
    """Overhead of each pair; sessions are new and then forgotten, so that both sides read the same."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    settings, metrics = InferenceSettings(**ENGINE), Metrics()  # pyright: ignore[reportArgumentType]
    host = EngineHost(lambda: load_core(settings, metrics), lambda: None)
    await host.start()
    engine, facts, over_ms = LocalEngine(host, settings.slots, metrics), read_facts(settings), []
    try:
        for index in range(asks + LEFT_OUT):
            asked = _ask(f"pair-{index}", index, tokens=12)
            chain_ms, local_ms = await _chain_ms(client, asked), await _local_ms(engine, facts, asked)
            over_ms.append(chain_ms - local_ms)
            await asyncio.gather(client.release(asked.session_id), engine.release(asked.session_id))
            await asyncio.sleep(0.05)  # until nothing of it goes on
    finally:
        await host.stop()
    return over_ms[LEFT_OUT:]


def _ask(session: str, seed: int, tokens: int = 250) -> ResponseRequest:
    return ResponseRequest(session, f"{session}-{seed}", (UserTurn(QUESTION),), ResponseOptions(seed, tokens), motion_hz=30, tenant="dev")


async def _chain_ms(client: GrpcInference, asked: ResponseRequest) -> float:
    began_s = time.perf_counter()
    async with aclosing(client.respond(asked)) as packets:
        async for packet in packets:
            if packet.pcm16 and packet.motion:
                break
        return (time.perf_counter() - began_s) * 1000


async def _local_ms(engine: LocalEngine, facts: Facts, asked: ResponseRequest) -> float:
    """Time to the first packet as the servicer makes it, without a server."""
    request = to_wire(asked)
    began_s, stream = time.perf_counter(), wire.PacketStream(request, facts)
    async with aclosing(engine.respond(wire.read_request(request, facts))) as outputs:
        async for output in outputs:
            packet = stream.packet(output)
            if packet.pcm16 and packet.HasField("motion"):
                break
        return (time.perf_counter() - began_s) * 1000


async def _packets(client: GrpcInference, index: int, seed: int) -> list[tuple[int, float]]:
    """When each was made (monotonic, ns) and how many ms it took from there. The streams begin one after the other; who is refused
    asks again."""
    for _ in range(MOST_ASKED):
        await asyncio.sleep(index * APART_S)
        try:
            packets = client.respond(_ask(f"paced-{index}", seed))
            return [(made, (time.monotonic_ns() - made) / 1e6) async for packet in packets if packet.text for made in [int(packet.text)]]
        except Problem as problem:
            if problem.code is not Code.NO_CAPACITY:
                raise
    raise TimeoutError(f"refused {MOST_ASKED} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--real", action="store_true", help="the weights that ship")
    parser.add_argument("--asks", type=int, default=ASKS, help="pairs")
    options = parser.parse_args()
    figures = measure_chain(real=options.real, asks=options.asks)
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
