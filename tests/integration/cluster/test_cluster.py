"""The whole chain with a tiny model: gateway, HAProxy, Ray Serve's replicas, a Triton for each. One Ray for all tests.

Where there is no Triton, the replicas have the engine in their own process.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
from opentelemetry.sdk.trace import TracerProvider
from support.models.cli_model import write_tiny_model
from support.servers.cluster import APPLICATION, Cluster, Talker, ask, begun, cluster, read
from support.servers.failover import assert_same, play_response, speaking, talking

from a2llm.messages import IdleRequest, ListenRequest, UtteranceUnknown
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.avatar_pb2_grpc import AvatarStub
from a2serve.gateway.model_client.grpc_client import GrpcInference
from a2serve.local.home import cache_folder

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install '.[cluster]'")
TRITON = any((cache_folder() / "triton").glob("*-py*"))  # fetched, by the profile or by a test
SLOTS, MOST = 4, 3
QUESTIONS = ("Hello you", "And now?")
METADATA = (("application", APPLICATION),)
Scenario = Callable[[GrpcInference], Awaitable[None]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, mini_gguf: Path) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A2_MODEL", str(write_tiny_model(tmp_path_factory.mktemp("tiny"))))
        patch.setenv("A2_WEIGHTS_BACKBONE", str(mini_gguf))
        # A short lead, so that the gateway does not have all of an answer at once; and no cheaper sound, or a busy machine would be heard.
        engine = {"slots": SLOTS, "threads": 1, "lead_ms": 500, "crowded_lead_ms": 300, "fewest_levels": 8}
        with cluster(
            folder,
            MOST if TRITON else 0,
            engine,
            drain_s=10,
            replicas_min=1,
            replicas_max=MOST,
            slots_share=0.3,
            scale_look_back_s=2,
            scale_up_s=0,
            scale_down_s=1,
            frl_limit_ms=1e6,
        ) as running:
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
                if {"a2.inference.respond", "a2.inference.prefill", *(["a2.inference.engine"] if TRITON else [])} <= names:
                    return
            await asyncio.sleep(0.1)


def test_it_listens_idles_and_says_what_is_wrong(run, served: Cluster):
    async def scenario(client: GrpcInference) -> None:
        silence = bytes(2 * 12_000)
        assert (await client.listen(ListenRequest("ear", "u1", 0, silence))).received_samples == 12_000
        assert (await client.listen(ListenRequest("ear", "u1", 12_000, silence, final=True))).received_samples == 24_000
        with pytest.raises(UtteranceUnknown):
            await client.listen(ListenRequest("ear", "u2", 5, silence))
        motion = await client.idle(IdleRequest("face", "listening", 30, 30, "arkit61", 30))
        assert (motion.first_frame, motion.frames) == (30, 30)
        await client.release("ear")
        with pytest.raises(Problem) as bad:
            await read(client, ask(""))
        assert bad.value.code is Code.INVALID_VALUE
        async with grpc.aio.insecure_channel(served.target) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as unknown:
                await AvatarStub(channel).Describe(pb.DescribeRequest(), metadata=(("application", "another"),))
            assert unknown.value.code() is grpc.StatusCode.NOT_FOUND

    run(scenario)


def test_who_finds_every_slot_taken_is_told_at_once_and_a_cancel_makes_room(run):
    async def scenario(client: GrpcInference) -> None:
        streams = [await begun(client, ask(f"full-{index}", tokens=500)) for index in range(SLOTS)]
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
        assert [packet async for packet in await begun(client, ask("c", burst=True, tokens=30))][-1].done
        for stream in streams[1:]:
            await stream.aclose()

    run(scenario)


def test_ray_and_haproxy_stand_on_the_debug_page(served: Cluster):
    page = httpx.get(f"http://127.0.0.1:{served.traces}/debug/servers", trust_env=False, timeout=10).json()
    numbers = {server["name"]: server["numbers"] for server in page}
    assert numbers["haproxy"]["replicas up"] >= 1
    assert numbers["haproxy"]["calls"] >= 10
    assert numbers["ray"]
    if TRITON:
        assert numbers["triton-0"]["slots"] == SLOTS


def test_load_brings_replicas_what_is_killed_is_not_missed_and_they_go_again(run, served: Cluster):
    async def scenario(client: GrpcInference) -> None:
        talkers = [Talker(client, f"talker-{index}") for index in range(3)]
        async with asyncio.TaskGroup() as group:
            for talker in talkers:
                group.create_task(talker.run(), name=talker.session)
            await served.has(MOST, MOST)
            await sessions_stay_where_they_are(served)
            await what_is_killed_is_not_missed(served)
            for talker in talkers[1:]:
                talker.stopping = True
            await served.has(1, 1)
            talkers[0].stopping = True
        assert [problem for talker in talkers for problem in talker.problems] == []
        assert all(talker.responses for talker in talkers)

    run(scenario)


async def sessions_stay_where_they_are(served: Cluster) -> None:
    async with grpc.aio.insecure_channel(served.target) as channel:
        stub = AvatarStub(channel)
        first = [await replica_of(stub, f"session-{index}") for index in range(12)]
        assert first == [await replica_of(stub, f"session-{index}") for index in range(12)]
        assert len(set(first)) > 1


async def replica_of(stub: AvatarStub, key: str) -> str:
    call = stub.Describe(pb.DescribeRequest(), metadata=(*METADATA, ("session-id", key)))
    await call
    return dict(await call.trailing_metadata())["replica"]


async def what_is_killed_is_not_missed(served: Cluster) -> None:
    """In mid-sentence: a replica, then a Triton. What the client hears is what it hears when nobody disturbs."""
    async with speaking(served.target, APPLICATION) as stand, grpc.aio.insecure_channel(served.target) as channel:
        async with talking(stand) as client:
            calm = [await play_response(client, question) for question in QUESTIONS]
        for kill in (served.kill_replica, *([served.kill_triton] if TRITON else [])):
            await served.has(MOST, MOST)
            async with talking(stand) as client:
                session = client.of("session.created")[0]["session"]["id"]
                replica = await replica_of(AvatarStub(channel), stand.inference.affinity_key(session))
                disturbed = [await play_response(client, QUESTIONS[0], lambda kill=kill, replica=replica: kill(replica))]
                disturbed.append(await play_response(client, QUESTIONS[1]))
            for one, other in zip(disturbed, calm, strict=True):
                assert_same(one, other)
            assert disturbed[0].gap_s < 2.0
            assert replica != await replica_of(AvatarStub(channel), stand.inference.affinity_key(session))
