"""A real uvicorn gateway before a real gRPC server that speaks from a script; and a client that checks GA shapes.

The script is exact: so many packets of 50 ms, a tone whose amplitude grows with the packet, one word every fourth packet,
motion whose first coefficient is the frame number. Transcripts come from the audio's length or from `script.transcripts`.
"""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import grpc
import numpy as np
import uvicorn
import websockets
from fastapi import FastAPI
from openai.types.realtime import RealtimeServerEvent
from opentelemetry import trace
from pydantic import TypeAdapter
from starlette.websockets import WebSocket

from a2serve.contracts.events import read_server_event
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto import avatar_pb2_grpc
from a2serve.contracts.records import RecordBase
from a2serve.contracts.server_events import RateLimit
from a2serve.gateway.access.auth import Principal
from a2serve.gateway.access.client_secrets import Grant
from a2serve.gateway.conversation.item_log import items_of
from a2serve.gateway.model_client.grpc_client import GrpcInference
from a2serve.gateway.realtime.connection.socket_route import RealtimeService, realtime_router
from a2serve.gateway.realtime.limits import SessionLimits
from a2serve.gateway.realtime.session.clock import monotonic_ms, random_id
from a2serve.gateway.realtime.session.collaborators import Collaborators, Identity
from a2serve.gateway.state.facts import SessionFacts, TurnFacts
from a2serve.gateway.state.saved_session import Change, Checkpoint, EndedElsewhere, Owner, SavedSession, SessionGone
from a2serve.gateway.tenants import Limits

PACKET_SAMPLES = 1200
WORDS = "one two three four five six seven eight nine ten eleven twelve".split()
RIG = "arkit61"
WAIT_S = 60.0  # a busy machine; what should come comes in milliseconds
GA_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


@dataclass
class Script:
    """Script of the model, and what it saw."""

    packets: int = 20
    pace_s: float = 0.0
    transcripts: list[str] = field(default_factory=list)  # final words of the next utterances
    running: str = ""  # words while somebody speaks
    turn_end: float = 0.9
    given: str = ""  # words that it was given; it says its own
    call: tuple[str, str] | None = None  # (name, arguments)
    refuse: bool = False
    lose_at: list[int] = field(default_factory=list)  # the packets in whose place the next responses are lost
    lost_as: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    away: bool = False  # takes nothing new, as a replica that drains or starts
    away_once_lost: bool = False
    revision: str = ""  # which the packets tell of
    forget: bool = False  # the next Listen does not know its utterance
    requests: list[pb.RespondRequest] = field(default_factory=list)
    listens: list[pb.ListenRequest] = field(default_factory=list)
    idles: list[pb.IdleRequest] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    cancelled: int = 0


class ScriptedAvatar(avatar_pb2_grpc.AvatarServicer):
    """Speaks the proto."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self._heard: dict[str, int] = {}

    async def Describe(self, request, context):
        rigs = [pb.Rig(name=RIG, coefficient_names=[f"c{i}" for i in range(61)])]
        personas = [pb.Persona(name="ada", instructions="be kind", avatar="ada", voice="hibari")]
        return pb.ModelInfo(
            revision="scripted",
            sample_rate_hz=24000,
            audio_frame_hz=20,
            motion_hz=40,
            rigs=rigs,
            personas=personas,
            slots=2,
            slots_free=2,
            affects=["neutral", "joy", "sadness", "anger", "surprise"],
        )

    async def Append(self, request, context):
        self.script.given = self.script.given[: request.offset] + request.text
        return pb.AppendResponse(received=request.offset + len(request.text))

    async def Respond(self, request, context):
        self.script.requests.append(request)
        self.script.metadata.append(dict(context.invocation_metadata()))
        if self.script.refuse:
            context.set_trailing_metadata((("retry-after-ms", "1500"),))
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "every slot speaks")
        if self.script.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        lose_at = self.script.lose_at.pop(0) if self.script.lose_at else None
        try:
            for index in range(len(request.resume.tokens), self.script.packets + 1):
                if index == lose_at:
                    self.script.away = self.script.away_once_lost
                    await context.abort(self.script.lost_as, "lost")
                if index == self.script.packets:
                    break
                yield self._packet(request, index)
                await asyncio.sleep(self.script.pace_s)
            if self.script.call:
                name, arguments = self.script.call
                call = pb.FunctionCall(call_id="call_1", name=name, arguments=arguments)
                yield pb.Packet(response_id=request.response_id, pts_samples=self.script.packets * PACKET_SAMPLES, function_call=call)
            usage = pb.Usage(input_tokens=30, cached_tokens=10, output_text_tokens=7, output_audio_ms=50 * self.script.packets)
            done = pb.Done(reason=pb.Done.COMPLETED, usage=usage, timings=pb.Timings(first_audio_ms=1.0))
            yield pb.Packet(response_id=request.response_id, pts_samples=self.script.packets * PACKET_SAMPLES, done=done)
        except (asyncio.CancelledError, GeneratorExit):  # the latter while a full stream waits for its reader
            self.script.cancelled += 1
            raise

    async def Listen(self, request, context):
        script, key = self.script, f"{request.session_id}/{request.utterance_id}"
        script.listens.append(request)
        if script.away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        if script.forget:
            script.forget = False
            self._heard.pop(key, None)
        if self._heard.get(key, 0) != request.offset_samples:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "unknown utterance")
        received = request.offset_samples + len(request.pcm16) // 2
        self._heard[key] = received
        words = script.transcripts.pop(0) if request.final and script.transcripts else script.running
        return pb.ListenResponse(
            utterance_id=request.utterance_id,
            received_samples=received,
            transcript=words,
            stable_chars=len(words),
            turn_end_probability=script.turn_end,
            affect=pb.Affect(category="neutral", intensity=0.2),
            affect_confidence=0.5,
        )

    async def Idle(self, request, context):
        self.script.idles.append(request)
        frames = request.frames or 8
        values = np.zeros((frames, 61), "<f2")
        if request.start_f16:
            values[:] = np.frombuffer(request.start_f16, "<f2")
        return pb.Motion(rig=request.rig, hz=request.motion_hz, first_frame=request.from_frame, frames=frames, values_f16=values.tobytes())

    async def Release(self, request, context):
        self.script.released.append(request.session_id)
        return pb.ReleaseResponse(known=True)

    def _packet(self, request: pb.RespondRequest, index: int) -> pb.Packet:
        text = WORDS[index // 4 % len(WORDS)] if index % 4 == 0 else ""
        pcm = np.full(PACKET_SAMPLES, 100 + index, "<i2") if request.audio else np.zeros(0, "<i2")
        motion = self._motion(request, index) if request.motion_hz and request.audio else None
        affect = pb.Affect(category="joy", intensity=0.5) if index == 0 else None
        return pb.Packet(
            response_id=request.response_id,
            pts_samples=index * PACKET_SAMPLES,
            text=text,
            pcm16=pcm.tobytes(),
            motion=motion,
            affect=affect,
            tokens=[index],
            revision=self.script.revision if index == len(request.resume.tokens) else "",
            usage=pb.Usage(
                input_tokens=30, cached_tokens=10, output_text_tokens=index + 1, output_audio_ms=50 * (index + 1) if request.audio else 0
            ),
        )

    def _motion(self, request: pb.RespondRequest, index: int) -> pb.Motion:
        first, end = -(-index * request.motion_hz // 20), -(-(index + 1) * request.motion_hz // 20)
        values = np.zeros((end - first, 61), "<f2")
        values[:, 0] = np.arange(first, end)
        return pb.Motion(rig=RIG, hz=request.motion_hz, first_frame=first, frames=end - first, values_f16=values.tobytes())


@dataclass
class Memory:
    """Conversations and Records in a dict; the real ones are Redis and Kafka."""

    saved: dict[tuple[str, str], SavedSession] = field(default_factory=dict)
    holders: dict[tuple[str, str], str] = field(default_factory=dict)
    gone: EndedElsewhere | None = None
    turns: list[TurnFacts] = field(default_factory=list)
    sessions: list[SessionFacts] = field(default_factory=list)

    async def claim(self, identity: Identity) -> SavedSession | None:
        key = identity.tenant, identity.session_id
        self.holders[key] = identity.holder
        return self.saved.get(key)

    async def save(self, identity: Identity, saved: SavedSession, checkpoint: Checkpoint | None) -> None:
        json.dumps([saved.config, saved.items])
        self.saved[self._ours(identity)] = saved

    async def append(self, identity: Identity, change: Change) -> bool:
        old = self.saved.get(self._ours(identity))
        if old is None:
            return False
        items = items_of([*old.items, *map(dict, change.entries)])
        self.saved[identity.tenant, identity.session_id] = SavedSession(change.config or old.config, items, change.sequence)
        return True

    async def leave(self, identity: Identity) -> None: ...

    def of_turn(self, facts: TurnFacts) -> list[RecordBase]:
        return []

    def of_session(self, facts: SessionFacts) -> list[RecordBase]:
        return []

    def _ours(self, identity: Identity) -> tuple[str, str]:
        key = identity.tenant, identity.session_id
        if self.gone or self.holders.setdefault(key, identity.holder) != identity.holder:
            raise SessionGone(self.gone or "taken_over")
        return key

    async def write(self, facts: TurnFacts | SessionFacts) -> None:
        self.turns.append(facts) if isinstance(facts, TurnFacts) else self.sessions.append(facts)

    def spool(self, *written: object) -> bool:
        return False

    def check_capacity(self, tenant: str, *, session: bool) -> None: ...


@dataclass
class Allowance:
    """So many responses, and no time in which they come back."""

    limit: int = 1000
    taken: int = 0

    async def take(self) -> None:
        if self.taken >= self.limit:
            raise Problem(Code.RATE_LIMITED, "that is enough", retry_after_ms=1000)
        self.taken += 1

    async def left(self) -> list[RateLimit]:
        return [RateLimit(name="requests", limit=self.limit, remaining=self.limit - self.taken, reset_seconds=1.0)]


@dataclass
class Clock:
    """The session's clock, moved by hand: a test means the same on a busy machine."""

    ms: float = 1_000_000.0

    def __call__(self) -> float:
        return self.ms


@dataclass
class Stand:
    """A running gateway."""

    port: int
    clock: Clock
    script: Script
    memory: Memory
    service: RealtimeService
    inference: GrpcInference

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/realtime?model=a2-llm"

    @asynccontextmanager
    async def connect(self, query: str = "", **options: Any) -> AsyncIterator["Client"]:
        # Unbounded: a full queue stops the reading, and with it the closing handshake, until it times out after 10 s.
        options = {"additional_headers": {"Authorization": "Bearer test"}, "max_size": 32 << 20, "max_queue": None} | options
        async with websockets.connect(self.url + query, **options) as socket_:
            yield Client(socket_)


class Client:
    """A thin client that keeps every event, and reads GA ones with the openai package's own models."""

    def __init__(self, socket_: Any) -> None:
        self.socket, self.events = socket_, list[dict[str, Any]]()
        self.packets: list[bytes] = []
        self.packet_times: list[float] = []
        self.times: list[float] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind} | fields))

    async def update(self, **session: Any) -> dict[str, Any]:
        await self.send("session.update", session={"type": "realtime"} | session)
        return await self.until("session.updated")

    async def next(self) -> dict[str, Any]:
        while True:
            frame = await asyncio.wait_for(self.socket.recv(), WAIT_S)
            if isinstance(frame, bytes):
                self.packets.append(frame)
                self.packet_times.append(asyncio.get_running_loop().time())
                continue
            self.events.append(json.loads(frame))
            self._check(self.events[-1])
            self.times.append(asyncio.get_running_loop().time())
            return self.events[-1]

    def _check(self, event: dict[str, Any]) -> None:
        """Ours read back by our models, GA's by the models of the openai package."""
        assert read_server_event(json.dumps(event)).type == event["type"]  # type: ignore[attr-defined]
        if not event["type"].startswith("a2."):
            GA_EVENT.validate_python(event)

    async def until(self, *kinds: str) -> dict[str, Any]:
        while True:
            event = await self.next()
            if event["type"] in kinds:
                return event
            assert "error" in kinds or event["type"] != "error", event

    async def gone(self) -> None:
        """Read until the other side has left."""
        with suppress(websockets.ConnectionClosed):
            while True:
                await self.next()

    async def quiet(self, seconds: float) -> list[dict[str, Any]]:
        """Events that still come within that time."""
        start = len(self.events)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.next()
        except TimeoutError:
            return self.events[start:]

    async def say(self, pcm16: bytes, *, pace: float = 0.0, chunk_ms: int = 40) -> None:
        """Append audio; pace 1 = real time."""
        step = 48 * chunk_ms
        start = asyncio.get_running_loop().time()
        for count, at in enumerate(range(0, len(pcm16), step), 1):
            await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm16[at : at + step]).decode())
            if pace:
                await asyncio.sleep(max(start + count * chunk_ms / 1000 * pace - asyncio.get_running_loop().time(), 0))

    async def ask(self, text: str) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.send("conversation.item.create", item=item)
        await self.send("response.create")

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


@dataclass
class OneKey:
    """Admits who has the one key, for the settings that `grant` fixes."""

    grant: Grant | None = None
    allowed: Allowance | None = None

    async def authorize(self, socket: WebSocket) -> Principal:
        if socket.headers.get("authorization") != "Bearer test":
            raise Problem(Code.UNAUTHORIZED, "no such key")
        return Principal("acme", "", "api_key", Limits(), self.grant)

    async def admit(self, caller: Principal, identity: Identity, *, resumed: bool) -> Owner:
        return identity.owner

    def allowance(self, caller: Principal) -> Allowance:
        return self.allowed or Allowance()


@asynccontextmanager
async def standing(
    script: Script | None = None,
    *,
    limits: SessionLimits | None = None,
    admission: OneKey | None = None,
    target: str = "",
    application: str = "",
    real_time: bool = False,
    new_id: Callable[[str], str] = random_id,
    tracer: trace.Tracer | None = None,
) -> AsyncIterator[Stand]:
    """Gateway and model up; down again by themselves. Checks that no task of a session is left. `target`: another model instead."""
    script, memory = script or Script(), Memory()
    avatar = grpc.aio.server()
    avatar_pb2_grpc.add_AvatarServicer_to_server(ScriptedAvatar(script), avatar)
    port = avatar.add_insecure_port("127.0.0.1:0")
    await avatar.start()
    inference = GrpcInference(target or f"127.0.0.1:{port}", application=application)
    clock = Clock()
    now_ms = monotonic_ms if real_time else clock
    parts = Collaborators(
        inference, memory, memory, limits or SessionLimits(), now_ms=now_ms, new_id=new_id, tracer=tracer or trace.NoOpTracer()
    )
    service = RealtimeService(admission or OneKey(), parts)
    app = FastAPI()
    app.include_router(realtime_router(service))
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio does not know that it is TCP, and Nagle waits 40 ms
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="websockets-sansio", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        assert not serving.done(), "uvicorn did not start"
        await asyncio.sleep(0.01)
    try:
        yield Stand(listening.getsockname()[1], clock, script, memory, service, inference)
        await _no_session_task_left(service)
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, WAIT_S)
        await inference.close()
        await avatar.stop(None)
        listening.close()


async def _no_session_task_left(service: RealtimeService) -> None:
    def left() -> list[str]:
        names = [task.get_name() for task in asyncio.all_tasks()]
        open_now = [session.identity.session_id for session in service.sessions]
        return open_now + [name for name in names if "sess_" in name or "resp_" in name or "item_" in name]

    async with asyncio.timeout(WAIT_S):
        while left():
            await asyncio.sleep(0.05)


def speech(name: str = "af_bella_00") -> bytes:
    """A spoken question as PCM16 at 24 kHz, without the silence around it."""
    path = Path(__file__).parents[2] / "data" / "questions" / f"{name}.flac"
    resampler = av.AudioResampler(format="s16", layout="mono", rate=24000)
    with av.open(str(path)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
        frames += resampler.resample(None)
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    loud = np.flatnonzero(np.abs(samples) > 400)
    return samples[loud[0] : loud[-1] + 1].tobytes()


def silence(ms: int) -> bytes:
    """With the faint noise of a real microphone."""
    return np.random.default_rng(0).normal(0, 3, 24 * ms).astype("<i2").tobytes()


def run(test: Callable[[], Awaitable[None]]) -> None:
    """One asynchronous test, bounded."""

    async def bounded() -> None:
        async with asyncio.timeout(240):
            await test()

    asyncio.run(bounded())
