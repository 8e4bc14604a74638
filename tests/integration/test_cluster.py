"""The model behind Ray Serve, as the gateway sees it: gRPC through HAProxy to replicas with a tiny model. One Ray for all tests.

Triton is not in it (test_triton is); the replicas have the engine in their own process.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
from cli_model import write_tiny_model
from cluster_stand import APPLICATION, Cluster, Talker, ask, cluster, read
from opentelemetry.sdk.trace import TracerProvider

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.avatar_pb2_grpc import AvatarStub
from a2serve.gateway.model_client.grpc_client import GrpcInference
from a2serve.gateway.model_client.interface import IdleRequest, SpokenAudio, UtteranceUnknown

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install '.[cluster]'")
SLOTS, MOST = 2, 3
METADATA = (("application", APPLICATION),)
Scenario = Callable[[GrpcInference], Awaitable[None]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, mini_gguf: Path) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A2_MODEL", str(write_tiny_model(tmp_path_factory.mktemp("tiny"))))
        patch.setenv("A2_WEIGHTS_BACKBONE", str(mini_gguf))
        patch.setenv("A2_HOME", str(folder / "home"))
        with cluster(folder, slots=SLOTS, threads=1, lead_ms=500, crowded_lead_ms=300, drain_s=10, replicas_min=1, replicas_max=MOST,
                     scale_look_back_s=2, scale_up_s=0, scale_down_s=1, frl_limit_ms=1e6) as running:  # fmt: skip
            yield running


@pytest.fixture
def run(served: Cluster) -> Callable[[Scenario], None]:
    def bounded(scenario: Scenario) -> None:
        async def main() -> None:
            client = served.client()
            try:
                async with asyncio.timeout(200):
                    await scenario(client)
            finally:
                await client.close()

        asyncio.run(main())

    return bounded


def test_text_sound_and_motion_come_through_and_the_turn_is_one_trace(run, served: Cluster):
    async def scenario(client: GrpcInference) -> None:
        info = await client.describe()
        assert (info.slots, info.slots_free) == (SLOTS, SLOTS)
        with TracerProvider().get_tracer("test").start_as_current_span("turn") as turn:
            packets = await read(client, ask("chain", burst=True))
        at = frames = 0
        for packet in packets:
            assert packet.pts_samples == at
            at += len(packet.pcm16) // 2
            if packet.motion:
                assert packet.motion.first_frame == frames
                frames += packet.motion.frames
                assert np.isfinite(np.frombuffer(packet.motion.values_f16, "<f2")).all()
        assert frames == -(-at * 30 // 24_000) > 0
        done = packets[-1].done
        assert done and " ".join(packet.text for packet in packets if packet.text) == done.text
        again = (await read(client, ask("chain", burst=True)))[-1].done
        assert again and again.usage.cached_tokens > 0
        await spans_arrive(served, "chain-0", f"{turn.get_span_context().trace_id:032x}")

    run(scenario)


async def spans_arrive(served: Cluster, response_id: str, trace_id: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            page = (await http.get(f"http://127.0.0.1:{served.traces}/debug/turns")).json()
            found = [turn for turn in page["turns"] if turn["response_id"] == response_id and turn["trace_id"] == trace_id]
            if found:
                names = {bar["name"] for bar in found[0]["bars"]}
                assert {"a2.inference.respond", "a2.inference.prefill", "a2.inference.speaking"} <= names
                return
            await asyncio.sleep(0.1)


def test_it_listens_idles_and_says_what_is_wrong(run, served: Cluster):
    async def scenario(client: GrpcInference) -> None:
        silence = bytes(2 * 12_000)
        assert (await client.listen(SpokenAudio("ear", "u1", 0, silence))).received_samples == 12_000
        assert (await client.listen(SpokenAudio("ear", "u1", 12_000, silence, final=True))).received_samples == 24_000
        with pytest.raises(UtteranceUnknown):
            await client.listen(SpokenAudio("ear", "u2", 5, silence))
        motion = await client.idle(IdleRequest("face", "listening", 30, 30, "arkit61", 30))
        assert (motion.first_frame, motion.frames) == (30, 30)
        await client.release("ear")
        with pytest.raises(Problem) as bad:
            await read(client, ask(""))
        assert bad.value.code is Code.INVALID_VALUE
        async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as unknown:
                await AvatarStub(channel).Describe(pb.DescribeRequest(), metadata=(("application", "another"),))
            assert unknown.value.code() is grpc.StatusCode.NOT_FOUND

    run(scenario)


def test_who_finds_every_slot_taken_is_told_at_once_and_a_cancel_makes_room(run):
    async def scenario(client: GrpcInference) -> None:
        streams = [aiter(client.respond(ask(name, tokens=500))) for name in "ab"]
        for stream in streams:
            await anext(stream)
        began_s = time.perf_counter()
        with pytest.raises(Problem) as refused:
            await read(client, ask("c", burst=True))
        assert time.perf_counter() - began_s < 0.5  # all the places that the gateway tries; alone it is 20 ms
        assert refused.value.code is Code.NO_CAPACITY
        assert (refused.value.retry_after_ms or 0) >= 200
        began_s = time.perf_counter()
        await streams[0].aclose()
        while not (await client.describe()).slots_free:
            await asyncio.sleep(0.005)
        assert time.perf_counter() - began_s < 0.5
        assert (await read(client, ask("c", burst=True, tokens=30)))[-1].done
        await streams[1].aclose()

    run(scenario)


def test_load_brings_replicas_one_is_killed_and_they_go_again(run, served: Cluster):
    async def scenario(client: GrpcInference) -> None:
        talkers = [Talker(client, f"talker-{index}") for index in range(4)]
        async with asyncio.TaskGroup() as group:
            for replicas, more in ((2, talkers[:2]), (3, talkers[2:])):
                for talker in more:
                    group.create_task(talker.run(), name=talker.session)
                await served.has(replicas, MOST)
            await sessions_stay_where_they_are(served)
            await a_killed_replica_is_left(served, talkers)
            for talker in talkers[1:]:
                talker.stopping = True
            await served.has(1, 1)
            talkers[0].stopping = True
        assert [problem for talker in talkers for problem in talker.problems] == []
        assert all(talker.responses for talker in talkers)

    run(scenario)


async def sessions_stay_where_they_are(served: Cluster) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        stub = AvatarStub(channel)
        first = [await replica_of(stub, f"session-{index}") for index in range(12)]
        assert first == [await replica_of(stub, f"session-{index}") for index in range(12)]
        assert len(set(first)) > 1


async def replica_of(stub: AvatarStub, key: str) -> str:
    call = stub.Describe(pb.DescribeRequest(), metadata=(*METADATA, ("session-id", key)))
    await call
    return dict(await call.trailing_metadata())["replica"]


async def a_killed_replica_is_left(served: Cluster, talkers: list[Talker]) -> None:
    """Its streams end as `unavailable`, its sessions go on elsewhere."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{served.port}") as channel:
        stub = AvatarStub(channel)
        victim = await replica_of(stub, talkers[0].client.affinity_key(talkers[0].session))
    pid = served.pid(victim)
    while not talkers[0].speaking:
        await asyncio.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    killed_s = time.perf_counter()
    while not talkers[0].gaps_s:
        await asyncio.sleep(0.01)
    broken = [at_s for talker in talkers for at_s in talker.broken_s]
    assert max(broken) - killed_s < 1.0  # 0.1 to 0.2 s as a rule: the kernel takes the process apart first
    assert talkers[0].gaps_s[0] < 2.0


def test_ray_and_haproxy_stand_on_the_debug_page(served: Cluster):
    page = httpx.get(f"http://127.0.0.1:{served.traces}/debug/servers", trust_env=False, timeout=10).json()
    numbers = {server["name"]: server["numbers"] for server in page}
    assert numbers["haproxy"]["replicas up"] >= 1
    assert numbers["haproxy"]["calls"] > 10
    assert numbers["ray"]
    assert numbers["replica-0"].get("slots", SLOTS) == SLOTS  # place 0 may be the one that was drained
