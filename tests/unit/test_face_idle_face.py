"""The idle face on its way to a client: on the input's clock, ahead of it, and back from a cut pose first."""

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from a2llm.messages import IdleRequest, Motion
from a2serve.contracts.a2_events import ListeningDelta
from a2serve.contracts.packets import PacketKind
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import A2Config, MotionConfig
from a2serve.gateway.realtime.face import idle_face
from a2serve.gateway.realtime.face.idle_face import AHEAD_MS, IdleFace
from a2serve.gateway.realtime.turn.machine import Phase

FPS = 25


@dataclass
class World:
    """Inference, queue and clocks of one face."""

    input_ms: int = 0
    now_ms: float = 1000.0
    away: bool = False
    phase: Phase = "listening"
    extension: A2Config | None = field(default_factory=lambda: A2Config(motion=MotionConfig(fps=FPS)))
    requests: list[IdleRequest] = field(default_factory=list)
    sent: list[Any] = field(default_factory=list)

    async def idle(self, request: IdleRequest) -> Motion:
        self.requests.append(request)
        if self.away:
            raise Problem(Code.UNAVAILABLE, "away")
        frames = request.frames or 4
        return Motion(request.rig, FPS, request.from_frame, frames, bytes(frames * 4))

    def send(self, event: Any, media_of: str = "") -> int:
        self.sent.append(event)
        return 0

    def send_packet(self, packet: Any) -> None:
        self.sent.append(packet)

    async def space_for_media(self) -> None: ...

    def face(self) -> IdleFace:
        world: Any = self
        clocks: dict[str, Any] = {"input_ms": lambda: self.input_ms, "now_ms": lambda: self.now_ms}
        return IdleFace(world, world, "sess_012345", extension=lambda: self.extension, **clocks)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_face, "CHUNK_MS", 1)
    monkeypatch.setattr(idle_face, "RETRY_PAUSE_S", 0.001)


def played(world: World, face: IdleFace, *moments: Any) -> None:
    """Lets the face run, with something that happens every few milliseconds."""

    async def scene() -> None:
        running = asyncio.create_task(face.run(lambda: world.phase))
        for moment in (*moments, lambda: None):
            await asyncio.sleep(0.02)
            moment()
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(scene())


def test_it_runs_ahead_of_the_clock_without_gaps():
    world = World()

    def later() -> None:
        world.now_ms += 400

    played(world, world.face(), later, later)
    spans = [(event.start_ms, event.start_ms + 1000 * event.frames / FPS) for event in world.sent]
    assert all(isinstance(event, ListeningDelta) and event.state == "listening" for event in world.sent)
    assert spans[0][0] == 0 and spans[-1][1] == 800 + AHEAD_MS
    assert all(end == start for (_, end), (start, _) in pairwise(spans))
    assert [event.sequence for event in world.sent] == list(range(len(world.sent)))


def test_audio_that_comes_faster_than_time_moves_its_clock():
    world = World()
    face = world.face()
    assert face.clock_ms() == 0
    world.input_ms = 700
    assert face.clock_ms() == 700
    world.now_ms += 100
    assert face.clock_ms() == 800, "goes on from there when no audio comes"


def test_while_the_avatar_speaks_it_is_silent_and_goes_on_afterwards():
    world = World(phase="speaking")

    def later() -> None:
        world.now_ms += 400

    def stop() -> None:
        world.phase = "idle"

    played(world, world.face(), later, stop)
    assert world.sent[0].state == "idle" and world.sent[0].start_ms == 400


def test_after_a_cut_it_eases_back_from_the_pose():
    world = World()
    face = world.face()

    def cut() -> None:
        world.now_ms += 80
        face.return_from(b"pose")

    played(world, face, cut)
    back = next(request for request in world.requests if request.state == "return")
    assert (back.start_f16, back.frames) == (b"pose", 0)
    states = [event.state for event in world.sent]
    first, *after = world.sent[states.index("return") :]
    assert states.count("return") == 1 and first.start_ms == 80, "at the moment of the cut, over what was sent ahead"
    assert after and all(event.start_ms >= 80 + 1000 * 4 / FPS for event in after), "what follows begins at its end"


def test_nods_are_told_until_they_are_past():
    world = World()
    face = world.face()
    face.nod()

    def later() -> None:
        world.now_ms += 1000

    played(world, face, later, later, later)
    assert world.requests[0].nod_frames == world.requests[1].nod_frames == (8,) and not world.requests[-1].nod_frames


@pytest.mark.parametrize(
    "extension", [None, A2Config(), A2Config(events=False, motion=MotionConfig()), A2Config(motion=MotionConfig(), listening=False)]
)
def test_nobody_is_asked_where_nobody_wants_it(extension: A2Config | None):
    world = World(extension=extension)
    played(world, world.face())
    assert world.requests == [] and world.sent == []


def test_without_inference_it_tries_again():
    world = World(away=True)

    def back() -> None:
        assert world.requests and world.sent == []
        world.away = False

    played(world, world.face(), back)
    assert world.sent


def test_packets_for_those_who_want_binary():
    world = World(extension=A2Config(motion=MotionConfig(fps=FPS), binary=True))
    played(world, world.face())
    packet = world.sent[0]
    assert (packet.kind, packet.frames, packet.coefficients, packet.pts_samples) == (PacketKind.LISTENING, 5, 2, 0)
