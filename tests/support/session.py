"""A session without a socket or servers: its real parts, an avatar whose words and sounds the test says, a clock moved by hand."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from opentelemetry import trace

from a2llm import messages as model
from a2serve.contracts.client_events import ResponseOptions
from a2serve.contracts.problems import Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.access.client_secrets import Grant
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.realtime.connection.socket_transport import SocketTransport
from a2serve.gateway.realtime.limits import SessionLimits
from a2serve.gateway.realtime.response.response import CLIENT_CANCELLED, Response
from a2serve.gateway.realtime.session.assembly import SessionParts, assemble
from a2serve.gateway.realtime.session.collaborators import Allowance, Collaborators, Identity
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.transport.send_queue import SendQueue
from a2serve.gateway.realtime.transport.transport import Incoming, Outgoing, Packed
from support.servers.realtime import Clock, Memory

PACKET_MS = 50
BYTES_PER_MS = 48
WINDOW_MS = 32


@dataclass
class Avatar:
    """An `InferenceClient` that says what the test tells it, and hears `words`; `deaf` fails every transcription."""

    words: str = "hello there"
    turn_end: float | None = None
    deaf: Problem | None = None
    requests: list[model.ResponseRequest] = field(default_factory=list)
    packets: dict[str, asyncio.Queue[model.Packet | Problem]] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    given: dict[str, GivenStream | None] = field(default_factory=dict)

    async def describe(self) -> model.ModelInfo:
        return model.ModelInfo("r", 24000, 20, 40)

    async def respond(self, request: model.ResponseRequest, words: GivenStream | None = None) -> AsyncGenerator[model.Packet, None]:
        self.requests.append(request)
        self.given[request.response_id] = words
        said = self.packets.setdefault(request.response_id, asyncio.Queue())
        while True:
            packet = await said.get()
            if isinstance(packet, Problem):
                raise packet
            yield packet

    async def listen(self, audio: model.ListenRequest) -> model.ListenResult:
        if self.deaf and audio.final:
            raise self.deaf
        received = audio.offset_samples + len(audio.pcm16) // 2
        return model.ListenResult(audio.utterance_id, received, self.words, len(self.words), self.turn_end)

    async def idle(self, request: model.IdleRequest) -> model.Motion:
        raise NotImplementedError

    async def release(self, session_id: str) -> None:
        self.released.append(session_id)


class Ear:
    """Takes the place of Silero: whatever is not silent is a voice."""

    def probability(self, pcm16: bytes) -> float:
        return 0.9 if any(pcm16) else 0.02

    def reset(self) -> None: ...


class Wire:
    """A transport that keeps every event."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    async def receive(self) -> Incoming:
        raise NotImplementedError

    def pack(self, event: Outgoing) -> Packed:
        return SocketTransport.pack(self, event)

    async def send(self, packed: Packed) -> None:
        self.events.append(orjson.loads(packed.content))


@dataclass
class Stage:
    """An open session. Each call returns when its effects have happened."""

    core: SessionCore
    parts: SessionParts
    avatar: Avatar
    clock: Clock
    memory: Memory
    wire: Wire

    async def settled(self) -> None:
        """Every task has gone as far as it can without time or news."""
        for _ in range(60):
            await asyncio.sleep(0)

    async def start(self, **options: Any) -> Response:
        """Begins a response and returns it."""
        before = set(self.responses())
        self.parts.floor.start_response(ResponseOptions.model_validate(options))
        await self.settled()
        (new,) = set(self.responses()) - before
        return next(response for response in self.core.responses.in_progress if response.id == new)

    def responses(self) -> list[str]:
        """Ids of all that were created."""
        return [event["response"]["id"] for event in self.wire.events if event["type"] == "response.created"]

    async def say(self, response: Response, ms: int, *, done: bool = False, text: str = "word") -> None:
        """The model makes so much more of a response's sound, one word in it."""
        said, begun_ms = self.avatar.packets[response.id], int(response.pacer.clock.sent_ms)
        for at_ms in range(begun_ms, begun_ms + ms, PACKET_MS):
            pcm16 = b"\1\0" * (24 * PACKET_MS)
            said.put_nowait(model.Packet(response.id, at_ms * 24, text=text if at_ms == begun_ms else "", pcm16=pcm16))
        if done:
            said.put_nowait(model.Packet(response.id, (begun_ms + ms) * 24, done=model.Done("completed")))
        await self.settled()

    async def fail(self, response: Response, problem: Problem) -> None:
        """The model gives up a response."""
        self.avatar.packets[response.id].put_nowait(problem)
        await self.settled()

    async def hear(self, ms: int, *, loud: bool = True) -> None:
        """Lets the user be heard for so long, or be silent."""
        window = (b"\1\0" if loud else b"\0\0") * (24 * WINDOW_MS)
        for _ in range(ms // WINDOW_MS):
            self.clock.ms += WINDOW_MS
            await self.parts.audio.take_audio(window)
        await self.settled()

    async def pass_ms(self, ms: float) -> None:
        """Lets so much time pass."""
        self.clock.ms += ms
        self.parts.floor.tick()
        await self.settled()

    def kinds(self, *of: str) -> list[str]:
        """Types of the events that the client got, in order; only of these kinds where some are named."""
        return [event["type"] for event in self.wire.events if not of or event["type"] in of]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind."""
        return [event for event in self.wire.events if event["type"] == kind]

    def ended(self, response: Response) -> dict[str, Any]:
        """The body of its response.done."""
        (done,) = [event["response"] for event in self.of("response.done") if event["response"]["id"] == response.id]
        return done


@asynccontextmanager
async def on_stage(
    *, limits: SessionLimits | None = None, guard: Grant | None = None, allowance: Allowance | None = None, **settings: Any
) -> AsyncIterator[Stage]:
    """A session with these settings, over when it is left."""
    avatar, clock, memory, wire = Avatar(), Clock(), Memory(), Wire()
    ids = iter(range(10_000))
    parts = Collaborators(
        avatar,
        memory,
        memory,
        limits or SessionLimits(),
        now_ms=clock,
        new_id=lambda prefix: f"{prefix}_{next(ids)}",
        new_ears=Ear,  # type: ignore[arg-type]
        tracer=trace.NoOpTracer(),
    )
    out = SendQueue(wire, "sess_1", parts.limits)
    config = SessionConfig().merged_with(SessionConfig.model_validate({"type": "realtime"} | settings))
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        core = SessionCore(Identity("sess_1", "acme", guard=guard, allowance=allowance), config, parts, out, tasks, info=None, items=[])
        made = assemble(core)
        running = [tasks.create_task(job) for job in (out.run(), made.ears.run(made.audio.take_words))]
        try:
            yield Stage(core, made, avatar, clock, memory, wire)
        finally:
            core.close()
            made.floor.close(CLIENT_CANCELLED)
            for task in running:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
