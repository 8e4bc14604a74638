"""Motion of one response on its way out, and the responses that a session has."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from a2llm.messages import Motion
from a2serve.contracts.packets import PacketKind, read_packet
from a2serve.contracts.server_events import Cleared
from a2serve.contracts.session_config import MotionConfig
from a2serve.gateway.realtime.connection.socket_transport import SocketTransport
from a2serve.gateway.realtime.face.motion_track import POSES_KEPT, MotionTrack, values_of
from a2serve.gateway.realtime.limits import SessionLimits
from a2serve.gateway.realtime.response.active_responses import ActiveResponses
from a2serve.gateway.realtime.transport.send_queue import SendQueue
from a2serve.gateway.realtime.transport.transport import Incoming, Outgoing, Packed


class Wire:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.frames: list[Any] = []

    async def receive(self) -> Incoming:
        raise AssertionError

    def pack(self, event: Outgoing) -> Packed:
        return SocketTransport.pack(self, event)

    async def send(self, packed: Packed) -> None:
        self.frames.append(packed.content)


def motion(first_frame: int, frames: int = 2, hz: int = 40) -> Motion:
    values = np.arange(frames * 3, dtype="<f2").reshape(frames, 3) + first_frame
    return Motion("arkit61", hz, first_frame, frames, values.tobytes())


def sent(act, *, binary: bool = False, encoding: str = "json") -> list[Any]:
    """Events that a client gets after `act(track)`."""

    async def scene() -> list[Any]:
        wire = Wire()
        queue = SendQueue(wire, "sess_0123456789", SessionLimits())
        act(MotionTrack(queue, MotionConfig(encoding=encoding), ("a", "b", "c"), "resp_1", binary=binary))
        task = asyncio.create_task(queue.run())
        await asyncio.wait_for(queue.all_sent(), 10)
        task.cancel()
        return [frame if isinstance(frame, bytes) and frame[:2] == b"A2" else json.loads(frame) for frame in wire.frames]

    return asyncio.run(scene())


def test_the_header_goes_before_the_first_frames_and_only_there() -> None:
    def act(track: MotionTrack) -> None:
        track.delta(motion(0), "item_1", 0)
        track.delta(motion(2), "item_1", 0)
        track.done(100)

    header, first, second, done = sent(act)
    assert (header["type"], header["rig"], header["fps"], header["coefficient_names"]) == (
        "a2.motion.header",
        "arkit61",
        40,
        ["a", "b", "c"],
    )
    assert [(each["sequence"], each["start_ms"], each["frames"]) for each in (first, second)] == [(0, 0.0, 2), (1, 50.0, 2)]
    assert first["values"] == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert (done["type"], done["item_id"], done["end_ms"]) == ("a2.motion.done", "item_1", 100)


def test_a_response_without_motion_says_nothing_of_it() -> None:
    def act(track: MotionTrack) -> None:
        track.done(100)
        track._out.send(Cleared())

    (only,) = sent(act)
    assert only["type"] != "a2.motion.done"


def test_binary_frames_carry_the_same_on_the_sample_clock() -> None:
    _, packed = sent(lambda track: track.delta(motion(4), "item_1", 2), binary=True)
    packet = read_packet(packed)
    assert (packet.kind, packet.pts_samples, packet.frames, packet.coefficients) == (PacketKind.MOTION, 2400, 2, 3)
    assert packet.payload == motion(4).values_f16


def test_values_are_lists_or_float16() -> None:
    assert values_of(motion(0, 1), "json") == [[0.0, 1.0, 2.0]]
    assert values_of(motion(0, 1), "f16_base64") == motion(0, 1).values_f16


def test_the_pose_of_a_moment_is_that_of_its_frame() -> None:
    poses: list[bytes] = []

    def act(track: MotionTrack) -> None:
        for packet in range(3):
            track.delta(motion(2 * packet), "item_1", 0)
        poses.extend(track.pose_at(ms) for ms in (0.0, 24.9, 25.0, 80.0, 1000.0))

    sent(act)
    assert [np.frombuffer(pose, "<f2")[0] for pose in poses] == [0, 0, 3, 5, 7], "behind the last frame it is the last one"


def test_old_poses_are_forgotten() -> None:
    def act(track: MotionTrack) -> None:
        for packet in range(POSES_KEPT + 1):
            track.delta(motion(2 * packet), "item_1", 0)
        assert track.pose_at(10.0) == b"" and track.pose_at(60.0) != b""

    sent(act)


@dataclass(eq=False)
class FakePacer:
    left_ms: float = 0.0

    def remaining_ms(self) -> float:
        return self.left_ms


@dataclass(eq=False)
class Made:
    """A response with the fields that the list looks at."""

    id: str
    in_conversation: bool = True
    pacer: FakePacer = field(default_factory=FakePacer)


@pytest.fixture
def active() -> ActiveResponses:
    return ActiveResponses()


def test_a_response_beside_the_conversation_is_not_its_own(active: ActiveResponses) -> None:
    own, beside = Made("resp_1"), Made("resp_2", in_conversation=False)
    active.begin(own)
    active.begin(beside)
    assert (active.own, active.in_progress) == (own, [own, beside])
    assert [active.find(name) for name in (None, "resp_1", "resp_2", "resp_3")] == [own, own, beside, None]
    active.finish(own)
    active.finish(beside)
    assert active.in_progress == [] and active.find(None) is None


def test_what_was_sent_is_heard_after_it_was_made(active: ActiveResponses) -> None:
    first, second = Made("resp_1", pacer=FakePacer(300.0)), Made("resp_2", pacer=FakePacer(50.0))
    active.begin(first)
    assert active.audible is first and active.tails == []
    assert active.sounded(first) is True and active.sounded(first) is False
    active.finish(first)
    active.begin(second)
    active.sounded(second)
    assert active.audible is first and active.tails == [first], "the first is still playing"
    assert active.of_player("resp_1") is first and active.find("resp_1") is None
    assert active.remaining_ms() == 350.0
    active.silence(first)
    active.silence(first)
    assert active.audible is second and active.of_player("resp_1") is None
