"""The gateway's client of inference against gRPC servers that say what a test wants."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.avatar_pb2_grpc import AvatarServicer, add_AvatarServicer_to_server
from a2serve.gateway.model_client.grpc_client import PLACES, GrpcInference
from a2serve.gateway.model_client.interface import PromptItem, ResponseRequest

ITEMS = (PromptItem("user", "Hello"),)


@dataclass
class Replica(AvatarServicer):
    """Says one word, or refuses while it is `full`."""

    full: bool = False
    asked: list[pb.RespondRequest] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def Respond(self, request: pb.RespondRequest, context: grpc.aio.ServicerContext) -> None:
        self.asked.append(request)
        self.keys.append(dict(context.invocation_metadata())["session-id"])
        if self.full:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "all slots are speaking", (("retry-after-ms", "300"),))
        await context.write(pb.Packet(response_id=request.response_id, text="Hello", done=pb.Done(reason=pb.Done.COMPLETED)))


@asynccontextmanager
async def serving(replica: Replica, port: int = 0) -> AsyncGenerator[tuple[grpc.aio.Server, int], None]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_AvatarServicer_to_server(replica, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield server, port
    finally:
        await server.stop(None)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(bounded())


def wish(session: str = "s", tenant: str = "acme") -> ResponseRequest:
    return ResponseRequest(session, f"r-{session}", tenant, ITEMS)


async def words(client: GrpcInference, request: ResponseRequest) -> str:
    return " ".join([packet.text async for packet in client.respond(request)])


async def refused(client: GrpcInference, request: ResponseRequest) -> Problem:
    with pytest.raises(Problem) as error:
        await words(client, request)
    return error.value


def test_who_is_refused_everywhere_comes_back_to_the_place_that_knows_of_it() -> None:
    async def scenario() -> None:
        async with serving(replica := Replica(full=True)) as (_, port):
            client = GrpcInference(f"127.0.0.1:{port}", application="avatar", weight={"acme": 2.5}.__getitem__)
            problem = await refused(client, wish())
            assert (problem.code, problem.retry_after_ms) == (Code.NO_CAPACITY, 300)
            assert replica.keys == ["s", *(f"s~{n}" for n in range(1, PLACES))]
            assert [request.comes_back for request in replica.asked] == [False] * (PLACES - 1) + [True]
            assert {(request.tenant, request.tenant_weight) for request in replica.asked} == {("acme", 2.5)}
            replica.full = False
            assert await words(client, wish()) == "Hello"
            assert replica.keys[-2:] == [f"s~{PLACES - 1}"] * 2
            await client.close()

    run(scenario)


def test_a_host_alone_is_where_its_callers_come_back_to() -> None:
    async def scenario() -> None:
        async with serving(replica := Replica(full=True)) as (_, port):
            client = GrpcInference(f"127.0.0.1:{port}")
            await refused(client, wish())
            assert [(request.comes_back, request.tenant_weight) for request in replica.asked] == [(True, 1.0)]
            await client.close()

    run(scenario)
