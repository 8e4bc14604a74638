"""Measures the way through HAProxy and Ray Serve against gRPC straight to the same replica code; with a tiny model, in one run.

    python tests/bench/ray_hop.py --json ray-hop.json

Both serve at the same time, and take requests in turns. `first_packet`: request -> first packet, as the caller sees it, one stream.
`packet`: handed to gRPC in the replica -> received by the caller, at 8 streams at the pace of speech. Both clocks are the machine's
monotonic one.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import grpc

sys.path.insert(0, str(Path(__file__).parents[1]))

from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.avatar_pb2_grpc import AvatarStub

STREAMS, SINGLES, SPEECH_TOKENS = 8, 40, 250
METADATA = (("application", "avatar"),)


def stamped(packet: pb.Packet) -> pb.Packet:
    """With the time at which it leaves, in place of its id."""
    packet.response_id = str(time.monotonic_ns())
    return packet


def serve_direct(port: int) -> None:
    """`python -m a2serve.inference`, stamping."""
    from a2serve.inference import host
    from a2serve.inference.program import main
    from a2serve.inference.servicer import AvatarServicer

    class Stamping(AvatarServicer):
        async def Respond(self, request: pb.RespondRequest, context: Any) -> None:
            async for packet in self._avatar.respond(request, context.invocation_metadata()):
                await context.write(stamped(packet))

    host.AvatarServicer = Stamping
    os.environ |= {"A2_INFERENCE_PORT": str(port), "A2_INFERENCE_METRICS_PORT": "-1"}
    sys.argv[1:] = []
    main()


def serve_ray(port: int) -> None:
    """`python -m a2serve.inference.ray_program`, stamping."""
    from a2serve.inference import ray_program, ray_replica
    from a2serve.local.ports import free_ports

    class Stamping(ray_replica.AvatarReplica):  # of no module: Ray sends it to the replica as it stands here
        async def Respond(self, request: pb.RespondRequest, grpc_context: Any) -> AsyncGenerator[pb.Packet, None]:
            async for packet in super().Respond(request, grpc_context):
                yield stamped(packet)

    ray_replica.AvatarReplica = Stamping
    names = ("HTTP_PORT", "HAPROXY_METRICS_PORT", "HAPROXY_STATS_PORT", "RAY_METRICS_PORT", "REPLICA_METRICS_PORT", "PORT")
    os.environ |= {f"A2_INFERENCE_{name}": str(free) for name, free in zip(names, [*free_ports(5), port], strict=True)}
    sys.argv[1:] = []
    ray_program.main()


@contextmanager
def serving(kind: str, port: int, folder: Path) -> Iterator[None]:
    log = folder / f"{kind}.log"
    with log.open("wb") as output:
        command = [sys.executable, __file__, f"--serve-{kind}", str(port)]
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        while b'"ready": true' not in log.read_bytes():
            assert process.poll() is None, log.read_text(errors="replace")[-3000:]
            time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def ask(session: str, tokens: int, burst: bool) -> pb.RespondRequest:
    item = pb.Item(role=pb.Item.USER, text="Hello you")
    return pb.RespondRequest(
        session_id=session, response_id=session, items=[item], audio=True, motion_hz=30, burst=burst, max_output_tokens=tokens, seed=4
    )


async def first_packet_ms(stub: AvatarStub) -> float:
    """First-packet times of one response after another in the same session."""
    began_s, first_ms = time.perf_counter(), 0.0
    async for _ in stub.Respond(ask("single", 20, True), metadata=METADATA):
        first_ms = first_ms or (time.perf_counter() - began_s) * 1000
    return first_ms


async def packet_ms(stub: AvatarStub, session: str) -> list[float]:
    """Packet times of one paced stream; its first packets, which come as fast as they can, are left out."""
    call = stub.Respond(ask(session, SPEECH_TOKENS, False), metadata=(*METADATA, ("session-id", session)))
    return [(time.monotonic_ns() - int(packet.response_id)) / 1e6 async for packet in call][10:]


async def measure(ports: dict[str, int]) -> dict[str, float]:
    first: dict[str, list[float]] = {kind: [] for kind in ports}
    packets: dict[str, list[float]] = {}
    async with AsyncExitStack() as open_channels:
        targets = {kind: f"127.0.0.1:{port}" for kind, port in ports.items()}
        channels = {kind: await open_channels.enter_async_context(grpc.aio.insecure_channel(to)) for kind, to in targets.items()}
        stubs = {kind: AvatarStub(channel) for kind, channel in channels.items()}
        for _ in range(SINGLES):
            for kind, stub in stubs.items():
                first[kind].append(await first_packet_ms(stub))
        for kind, stub in stubs.items():
            streams = await asyncio.gather(*(packet_ms(stub, f"{kind}-{index}") for index in range(STREAMS)))
            packets[kind] = [ms for stream in streams for ms in stream]
    return flat(first, packets)


def flat(first: dict[str, list[float]], packets: dict[str, list[float]]) -> dict[str, float]:
    out: dict[str, float] = {"streams": STREAMS, "packets": len(packets["ray"])}
    for kind in first:
        out[f"{kind}_first_packet_p50_ms"] = median(first[kind][2:])
        out[f"{kind}_packet_p50_ms_at_{STREAMS}"] = median(packets[kind])
        out[f"{kind}_packet_p99_ms_at_{STREAMS}"] = quantiles(packets[kind], n=100)[98]
    pairs = zip(first["ray"][2:], first["direct"][2:], strict=True)
    out["ray_hop_first_packet_p50_ms"] = median(ray - direct for ray, direct in pairs)
    return {name: round(value, 2) for name, value in out.items()}


def tiny_environment(folder: Path) -> None:
    from support.models.cli_model import write_tiny_model
    from support.models.gguf_mini import write_mini_gguf

    (folder / "model").mkdir()
    os.environ |= {
        "A2_MODEL": str(write_tiny_model(folder / "model")),
        "A2_WEIGHTS_BACKBONE": str(write_mini_gguf(folder / "mini.gguf")),
        "A2_HOME": str(folder / "home"),
        "OMP_NUM_THREADS": "1",
        "A2_INFERENCE_THREADS": "1",
        "A2_INFERENCE_SLOTS": str(STREAMS),
        "A2_INFERENCE_LEAD_MS": "500",
        "A2_INFERENCE_CROWDED_LEAD_MS": "500",
        "A2_INFERENCE_REPLICAS_MAX": "1",
        "A2_INFERENCE_DRAIN_S": "1",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures there")
    for kind in ("direct", "ray"):
        parser.add_argument(f"--serve-{kind}", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_direct:
        return serve_direct(arguments.serve_direct)
    if arguments.serve_ray:
        return serve_ray(arguments.serve_ray)
    from a2serve.local.ports import free_ports

    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        tiny_environment(Path(name))
        ports = dict(zip(("direct", "ray"), free_ports(2), strict=True))
        for kind, port in ports.items():
            servers.enter_context(serving(kind, port, Path(name)))
        figures = asyncio.run(measure(ports))
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main()
