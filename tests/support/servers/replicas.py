"""gRPC servers that say what a test wants of the gateway's client of inference, and what is asked of them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from a2llm.messages import ResponseRequest, UserTurn
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.avatar_pb2_grpc import AvatarServicer, add_AvatarServicer_to_server
from a2serve.gateway.model_client.interface import InferenceClient

ITEMS = (UserTurn("Hello"),)


@dataclass
class Replica(AvatarServicer):
    """Says one word, or refuses while it is `full`."""

    full: bool = False
    hold: bool = False  # behind the first word, for ever
    gone: bool = False  # as an ingress says whose application was deleted
    deaf: bool = False  # never answers what it hears
    wrong: bool = False  # finds every request at fault
    ends: tuple[grpc.StatusCode, tuple[tuple[str, str], ...]] | None = None  # every call: its status and trailing metadata
    asked: list[pb.RespondRequest] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def Listen(self, request: pb.ListenRequest, context: grpc.aio.ServicerContext) -> pb.ListenResponse:
        if self.ends:
            await context.abort(self.ends[0], "the reason", self.ends[1])
        if self.deaf:
            await asyncio.Event().wait()
        return pb.ListenResponse(utterance_id=request.utterance_id, received_samples=len(request.pcm16) // 2)

    async def Respond(self, request: pb.RespondRequest, context: grpc.aio.ServicerContext) -> None:
        self.asked.append(request)
        self.keys.append(dict(context.invocation_metadata())["session-id"])
        if self.full:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "all slots are speaking", (("retry-after-ms", "300"),))
        if self.gone:
            await context.abort(grpc.StatusCode.NOT_FOUND, "Application 'avatar' not found")
        if self.ends:
            await context.abort(self.ends[0], "the reason", self.ends[1])
        if self.wrong:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "there is no such persona")
        if self.hold:
            await context.write(pb.Packet(response_id=request.response_id, text="Hello", tokens=[5]))
            await asyncio.Event().wait()
        await context.write(pb.Packet(response_id=request.response_id, text="Hello", done=pb.Done(reason=pb.Done.COMPLETED)))


@asynccontextmanager
async def serving(replica: Replica, port: int = 0) -> AsyncGenerator[tuple[grpc.aio.Server, int], None]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 16 << 20)])
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


def new_request(session: str = "s", tenant: str = "acme") -> ResponseRequest:
    return ResponseRequest(session, f"r-{session}", ITEMS, tenant=tenant)


async def words(client: InferenceClient, request: ResponseRequest) -> str:
    return " ".join([packet.text async for packet in client.respond(request)])


SESSIONS = [f"s{n}" for n in range(40)]
