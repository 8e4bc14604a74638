"""How long somebody hears nothing when what speaks is killed in mid-sentence: `python tests/bench/kill_gaps.py [--tiny] [--kills 3]`.

kill -9 of an inference host (another one stands by), of a Ray replica, of a Triton; the weights that ship, unless `--tiny`; the whole way
but for the gateway's process, which is this one. The silence is that of a player which begins with the first packet and holds nothing
back: the worst of the kills. Each answer is checked for what could be missing or come twice.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import grpc
from support.models.cli_model import write_tiny_model
from support.models.gguf_mini import write_mini_gguf
from support.servers import inference as inference_server
from support.servers.cluster import APPLICATION, Cluster, cluster
from support.servers.failover import play_response, speaking, talking

from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.avatar_pb2_grpc import AvatarStub
from a2serve.local.ports import free_ports

STORY = "Tell me a long story about a fisherman who finds a lighthouse on an island and decides to live there."
SPOKEN_S = (0.05, 0.6, 2.0)  # when the kills come: of the answer, as far as it was sent; in the beginning, nothing is held in store
ENGINE: dict[str, object] = {"slots": 2, "threads": 1}  # as in the profile `cluster`
Say = Callable[[str], None]


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure_kill_gaps(kills: int = len(SPOKEN_S), tiny: bool = False, say: Say = _print) -> dict[str, float]:
    """triton_ms, replica_ms, host_ms: the longest silence of `kills` kills each. About three minutes."""
    with tempfile.TemporaryDirectory(prefix="a2-kills-") as name:
        folder = Path(name)
        if tiny:
            (folder / "model").mkdir()
            os.environ |= {
                "A2_MODEL": str(write_tiny_model(folder / "model")),
                "A2_HOME": str(folder / "home"),
                "A2_WEIGHTS_BACKBONE": str(write_mini_gguf(folder / "mini.gguf")),
            }
        say(f"weights: {'tiny' if tiny else 'those that ship'}")
        host = asyncio.run(_hosts(kills, say))
        with cluster(folder, 2, ENGINE, replicas_min=2, replicas_max=2, drain_s=1) as served:
            gaps = asyncio.run(_cluster(served, kills, say))
    return {**gaps, "host_ms": host}


class Host:
    """A standalone host on a port of its own, started again after each kill."""

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self._start()

    def _start(self) -> None:
        self._running = inference_server.running(port=self.port, metrics_port=-1, **ENGINE)
        self.process = self._running.__enter__().process

    def kill(self) -> None:
        self.process.kill()

    def again(self) -> None:
        self.stop()
        self._start()

    def stop(self) -> None:
        self._running.__exit__(None, None, None)


@contextmanager
def _two_hosts() -> Iterator[list[Host]]:
    hosts = [Host(), Host()]
    try:
        yield hosts
    finally:
        for host in hosts:
            host.stop()


async def _hosts(kills: int, say: Say) -> float:
    with _two_hosts() as hosts:
        target = "ipv4:" + ",".join(f"127.0.0.1:{host.port}" for host in hosts)
        async with speaking(target) as stand:
            gaps = []
            for number in range(kills):
                async with talking(stand) as client:
                    address = await stand.inference.address_of(client.of("session.created")[0]["session"]["id"])
                    speaks = next(host for host in hosts if address.endswith(f":{host.port}"))
                    heard = await play_response(client, STORY, speaks.kill, SPOKEN_S[number % len(SPOKEN_S)])
                assert speaks.process.poll() is not None
                gaps.append(_gap_ms("host", heard.gap_s, len(heard.sound), say))
                await asyncio.to_thread(speaks.again)
    return max(gaps)


async def _cluster(served: Cluster, kills: int, say: Say) -> dict[str, float]:
    worst: dict[str, float] = {}
    async with speaking(served.target, APPLICATION) as stand, grpc.aio.insecure_channel(served.target) as channel:
        for name, kill in (("replica", served.kill_replica), ("triton", served.kill_triton)):
            gaps = []
            for number in range(kills):
                await served.has(2, 2)
                async with talking(stand) as client:
                    key = stand.inference.affinity_key(client.of("session.created")[0]["session"]["id"])
                    call = AvatarStub(channel).Describe(pb.DescribeRequest(), metadata=(("application", APPLICATION), ("session-id", key)))
                    replica = dict(await call.trailing_metadata())["replica"]
                    heard = await play_response(client, STORY, lambda: kill(replica), SPOKEN_S[number % len(SPOKEN_S)])  # noqa: B023
                gaps.append(_gap_ms(name, heard.gap_s, len(heard.sound), say))
            worst[f"{name}_ms"] = max(gaps)
    return worst


def _gap_ms(what: str, gap_s: float, samples: int, say: Say) -> float:
    say(f"{what} killed: {gap_s * 1000:.0f} ms of silence in an answer of {samples / 24_000:.1f} s")
    return round(gap_s * 1000, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="random weights: the way, without the computing")
    parser.add_argument("--kills", type=int, default=len(SPOKEN_S), help="of each kind")
    options = parser.parse_args()
    print(json.dumps(measure_kill_gaps(options.kills, options.tiny), indent=1))


if __name__ == "__main__":
    main()
