"""Two versions behind one gateway: who asks which, and what happens when the canary fails. Servers that say what a test wants."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest
from prometheus_client import CollectorRegistry
from support.servers.replicas import SESSIONS, Replica, new_request, run, serving, words

from a2llm.messages import ListenRequest
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.model_client.canary import CanaryInference, Choice
from a2serve.gateway.model_client.grpc_client import GrpcInference
from a2serve.gateway.settings import GatewaySettings

HALF = Choice(0.5)
MANY = [f"sess_{number}" for number in range(2000)]


@dataclass
class Pair:
    """stable, canary: what they were asked. gateway: which asks them."""

    stable: Replica
    stable_port: int
    stable_server: grpc.aio.Server
    canary: Replica
    canary_server: grpc.aio.Server
    gateway: CanaryInference
    registry: CollectorRegistry

    def fallbacks(self, code: str) -> float:
        return self.registry.get_sample_value("a2_gateway_canary_fallbacks_total", {"code": code}) or 0.0

    async def words(self, session: str, tenant: str = "acme") -> str:
        return await words(self.gateway, new_request(session, tenant))


@asynccontextmanager
async def pair(choice: Choice, tenant: str = "acme") -> AsyncGenerator[Pair, None]:
    stable, canary, registry = Replica(), Replica(), CollectorRegistry()
    async with serving(stable) as (stable_server, port), serving(canary) as (canary_server, canary_port):
        sides = GrpcInference(f"127.0.0.1:{port}"), GrpcInference(f"127.0.0.1:{canary_port}", patience_s=0.0)
        gateway = CanaryInference(*sides, choice, lambda: tenant, registry)
        yield Pair(stable, port, stable_server, canary, canary_server, gateway, registry)
        await gateway.close()


def asked(replica: Replica) -> set[str]:
    return {request.session_id for request in replica.asked}


def test_a_share_is_that_share_and_grows_without_moving_anybody_back() -> None:
    few, more = ({session for session in MANY if Choice(share).takes(session, "acme")} for share in (0.1, 0.3))
    assert 0.07 < len(few) / len(MANY) < 0.13 and 0.26 < len(more) / len(MANY) < 0.34
    assert few < more
    assert not any(Choice(0.0).takes(session, "acme") for session in MANY)
    assert all(Choice(1.0).takes(session, "acme") for session in MANY)
    assert all(Choice(0.0, frozenset({"acme"})).takes(session, "acme") for session in MANY)
    assert not any(Choice(0.0, frozenset({"acme"})).takes(session, "other") for session in MANY)


def test_a_session_stays_on_its_side_in_all_that_it_asks() -> None:
    async def scenario() -> None:
        async with pair(HALF) as both:
            for session in SESSIONS * 2:
                assert await both.words(session) == "Hello"
                assert await both.words(f"{session}.resp_beside") == "Hello"
            wanted = {name for session in SESSIONS if HALF.takes(session, "") for name in (session, f"{session}.resp_beside")}
            assert asked(both.canary) == wanted and asked(both.stable).isdisjoint(wanted) and asked(both.stable)

    run(scenario)


def test_a_tenant_s_ears_are_where_its_answers_are() -> None:
    async def scenario() -> None:
        async with pair(Choice(0.0, frozenset({"acme"}))) as both:
            await both.canary_server.stop(None)
            await both.gateway.listen(ListenRequest("s", "u", 0, bytes(4800)))
            assert both.fallbacks("inference_unavailable") == 1, "it was asked first"
            assert await both.words("other", "globex") == "Hello"
            assert both.fallbacks("inference_unavailable") == 1

    run(scenario)


def test_a_canary_that_breaks_off_is_continued_by_the_stable_version_and_left() -> None:
    async def scenario() -> None:
        async with pair(Choice(1.0)) as both:
            both.canary.hold = True
            stream = both.gateway.respond(new_request("s"))
            assert (await anext(stream)).text == "Hello"
            await both.canary_server.stop(None)
            assert [packet.done is not None async for packet in stream] == [True]
            resume = both.stable.asked[0].resume
            assert (list(resume.tokens), resume.words) == ([5], 1)
            assert await both.words("s") == "Hello"
            assert both.fallbacks("inference_unavailable") == 1 and len(both.stable.asked) == 2

    run(scenario)


def test_what_the_stable_version_goes_on_with_can_break_off_again() -> None:
    """The second loss resumes behind everything that was heard, not only behind what came after the first."""

    async def scenario() -> None:
        async with pair(Choice(1.0)) as both:
            both.canary.hold = both.stable.hold = True
            stream = both.gateway.respond(new_request("s"))
            await anext(stream)
            await both.canary_server.stop(None)
            await anext(stream)
            await both.stable_server.stop(None)
            both.stable.hold = False
            async with serving(both.stable, both.stable_port):
                assert [packet.done is not None async for packet in stream] == [True]
            assert [list(request.resume.tokens) for request in both.stable.asked] == [[5], [5, 5]]
            assert [request.resume.words for request in both.stable.asked] == [1, 2]

    run(scenario)


def test_a_full_canary_refuses_nobody_and_a_wrong_request_is_the_caller_s() -> None:
    async def scenario() -> None:
        async with pair(Choice(1.0)) as both:
            both.canary.full = True
            assert await both.words("s") == "Hello"
            assert both.fallbacks("no_capacity") == 1
            both.canary.full, both.canary.wrong = False, True
            with pytest.raises(Problem) as problem:
                await both.words("another")
            assert problem.value.code is Code.INVALID_VALUE and both.fallbacks("invalid_value") == 0

    run(scenario)


@pytest.mark.parametrize("chosen", [{"canary_share": 0.1}, {"canary_tenants": ["acme"]}])
def test_a_canary_without_an_address_is_refused(chosen: dict) -> None:
    with pytest.raises(ValueError, match="need canary"):
        GatewaySettings(**chosen)
    assert GatewaySettings(canary="inference-green:50051", **chosen)
