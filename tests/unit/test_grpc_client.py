"""The gateway's client of inference against gRPC servers that say what a test wants."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc
import pytest
from support.servers.replicas import SESSIONS, Replica, new_request, run, serving, words

from a2llm.messages import ListenRequest, ResponseRequest, UtteranceUnknown
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.model_client import grpc_client, hosts
from a2serve.gateway.model_client.grpc_client import PLACES, GrpcInference


async def refused(client: GrpcInference, request: ResponseRequest) -> Problem:
    with pytest.raises(Problem) as error:
        await words(client, request)
    return error.value


def test_who_is_refused_everywhere_comes_back_to_the_place_that_knows_of_it() -> None:
    async def scenario() -> None:
        async with serving(replica := Replica(full=True)) as (_, port):
            client = GrpcInference(f"127.0.0.1:{port}", application="avatar", weight={"acme": 2.5}.__getitem__)
            problem = await refused(client, new_request())
            assert (problem.code, problem.retry_after_ms) == (Code.NO_CAPACITY, 300)
            assert replica.keys == ["s", *(f"s~{n}" for n in range(1, PLACES))]
            assert [request.comes_back for request in replica.asked] == [False] * (PLACES - 1) + [True]
            assert {(request.tenant, request.tenant_weight) for request in replica.asked} == {("acme", 2.5)}
            replica.full = False
            assert await words(client, new_request()) == "Hello"
            assert replica.keys[-2:] == [f"s~{PLACES - 1}"] * 2
            await client.close()

    run(scenario)


def test_a_host_alone_is_where_its_callers_come_back_to() -> None:
    async def scenario() -> None:
        async with serving(replica := Replica(full=True)) as (_, port):
            client = GrpcInference(f"127.0.0.1:{port}")
            await refused(client, new_request())
            assert [(request.comes_back, request.tenant_weight) for request in replica.asked] == [(True, 1.0)]
            await client.close()

    run(scenario)


@asynccontextmanager
async def two(full: bool = False) -> AsyncGenerator[tuple[list[Replica], list[grpc.aio.Server], GrpcInference], None]:
    replicas = [Replica(full), Replica(full)]
    async with serving(replicas[0]) as (one, port), serving(replicas[1]) as (other, other_port):
        client = GrpcInference(f"ipv4:127.0.0.1:{port},127.0.0.1:{other_port}")
        yield replicas, [one, other], client
        await client.close()


def test_sessions_are_spread_over_the_hosts_and_each_stays_with_its_own() -> None:
    async def scenario() -> None:
        async with two() as (replicas, _, client):
            for _ in range(2):
                await asyncio.gather(*(words(client, new_request(session)) for session in SESSIONS))
            one, other = ({request.session_id for request in replica.asked} for replica in replicas)
            assert min(len(one), len(other)) >= 10 and not one & other
            assert len(replicas[0].asked) + len(replicas[1].asked) == 80

    run(scenario)


def test_the_end_of_a_host_moves_its_streams_on_and_no_others() -> None:
    async def scenario() -> None:
        async with two() as (replicas, servers, client):
            for replica in replicas:
                replica.hold = True
            streams = {session: client.respond(new_request(session)) for session in SESSIONS[:8]}
            for stream in streams.values():
                assert (await anext(stream)).text == "Hello"
            here = [request.session_id for request in replicas[0].asked]
            assert 0 < len(here) < 8
            replicas[1].hold = False
            await servers[0].stop(None)
            for session in here:
                assert [packet.done is not None async for packet in streams[session]] == [True]
            moved = replicas[1].asked[-len(here) :]
            assert {request.session_id for request in moved} == set(here)
            assert all(list(request.resume.tokens) == [5] and request.resume.words == 1 for request in moved)
            assert len(replicas[1].asked) == 8
            await asyncio.gather(*(words(client, new_request(session)) for session in SESSIONS))  # and new ones find the one that is left
            assert len(replicas[0].asked) == len(here)
            await asyncio.gather(*(stream.aclose() for stream in streams.values()))

    run(scenario)


def test_a_host_that_is_full_sends_its_callers_to_the_other() -> None:
    async def scenario() -> None:
        async with two() as (replicas, _, client):
            replicas[0].full = True
            for _ in range(2):
                assert await asyncio.gather(*(words(client, new_request(session)) for session in SESSIONS)) == ["Hello"] * 40
            sent_on = len(replicas[0].asked)
            assert 10 <= sent_on <= 30 and len(replicas[1].asked) == 80, "once each: it stays where it was answered"
            assert not any(request.comes_back for request in replicas[0].asked)

    run(scenario)


def test_an_ingress_whose_application_has_gone_is_left() -> None:
    async def scenario() -> None:
        async with two() as (replicas, _, client):
            replicas[0].gone = True
            assert await asyncio.gather(*(words(client, new_request(session)) for session in SESSIONS)) == ["Hello"] * 40
            replicas[1].gone = True
            assert (await refused(client, new_request())).code is Code.UNAVAILABLE

    run(scenario)


def test_a_name_is_looked_up_again_and_what_left_it_speaks_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "LOOK_UP_S", 0.0)

    async def scenario() -> None:
        async with serving(old := Replica(hold=True)) as (_, port), serving(new := Replica()) as (_, new_port):
            addresses = [("127.0.0.1", port)]

            async def look_up(name: str, _port: int, **_: object) -> list:
                assert name == "inference.default.svc"
                return [(0, 0, 0, "", address) for address in addresses]

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
            client = GrpcInference("inference.default.svc:50051")
            stream = client.respond(new_request("s"))
            assert (await anext(stream)).text == "Hello"
            old.hold, addresses[:] = False, [("127.0.0.1", new_port)]
            while not new.asked:
                assert await words(client, new_request("t")) == "Hello"
            assert await words(client, new_request("s")) == "Hello"
            assert [request.session_id for request in new.asked] == ["t", "s"]
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.2)
            assert not waiting.done() and old.asked[0].session_id == "s", "the stream goes on where it began"
            waiting.cancel()
            await asyncio.wait([waiting])
            await stream.aclose()
            await client.close()

    run(scenario)


def test_what_is_not_heard_in_time_is_said_in_our_words_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    silence = ListenRequest("s", "u", 0, bytes(180 * 48_000), final=True)

    async def scenario() -> None:
        async with serving(replica := Replica()) as (server, port):
            client = GrpcInference(f"127.0.0.1:{port}")
            assert (await client.listen(silence)).received_samples == 180 * 24_000
            replica.deaf = True
            monkeypatch.setattr(grpc_client, "LISTEN_TIMEOUT_S", 0.2)
            monkeypatch.setattr(grpc_client, "LISTEN_SHARE", 0.001)
            with pytest.raises(Problem, match="180 s of sound were not heard within 0 s") as late:
                await client.listen(silence)
            assert late.value.code is Code.TIMEOUT
            await server.stop(None)
            with pytest.raises(Problem, match="the model is out of reach") as lost:
                await words(client, new_request())
            assert lost.value.code is Code.UNAVAILABLE
            await client.close()

    run(scenario)


OF_BEFORE, OF_LATER = (), (("a2-error-code", "too_tired"),)  # replicas of a version without codes, and of one with codes that are not known


def says(code: str) -> tuple[tuple[str, str], ...]:
    return (("a2-error-code", code),)


@pytest.mark.parametrize(
    ("status", "metadata", "responds", "listens"),
    [
        ("FAILED_PRECONDITION", says("rig_unavailable"), Code.RIG_UNAVAILABLE, Code.RIG_UNAVAILABLE),
        ("FAILED_PRECONDITION", says("utterance_unknown"), UtteranceUnknown, UtteranceUnknown),
        ("FAILED_PRECONDITION", OF_BEFORE, Code.RIG_UNAVAILABLE, UtteranceUnknown),
        ("FAILED_PRECONDITION", OF_LATER, Code.RIG_UNAVAILABLE, UtteranceUnknown),
        ("INVALID_ARGUMENT", says("invalid_value"), Code.INVALID_VALUE, Code.INVALID_VALUE),
        ("INVALID_ARGUMENT", OF_BEFORE, Code.INVALID_VALUE, Code.INVALID_VALUE),
        ("RESOURCE_EXHAUSTED", says("no_capacity"), Code.NO_CAPACITY, Code.NO_CAPACITY),
        ("RESOURCE_EXHAUSTED", OF_BEFORE, Code.NO_CAPACITY, Code.NO_CAPACITY),
        ("UNAVAILABLE", says("inference_unavailable"), Code.UNAVAILABLE, Code.UNAVAILABLE),
        ("UNAVAILABLE", OF_BEFORE, Code.UNAVAILABLE, Code.UNAVAILABLE),
        ("INTERNAL", OF_BEFORE, Code.INTERNAL, Code.INTERNAL),
    ],
)
def test_the_code_of_an_error_counts_before_its_status(status: str, metadata: tuple, responds: object, listens: object) -> None:
    async def scenario() -> None:
        async with serving(Replica(ends=(grpc.StatusCode[status], metadata))) as (_, port):
            client = GrpcInference(f"127.0.0.1:{port}", patience_s=0.1)
            for call, wanted in ((words(client, new_request()), responds), (client.listen(ListenRequest("s", "u", 0, bytes(2))), listens)):
                with pytest.raises((Problem, UtteranceUnknown)) as error:
                    await call
                assert getattr(error.value, "code" if isinstance(error.value, Problem) else "__class__") == wanted
            await client.close()

    run(scenario)
