"""The bounded queue: numbers, drops, overflow, stall."""

import asyncio
import json

import pytest

from a2serve.contracts.server_events import AudioDelta, Cleared
from a2serve.gateway.realtime.connection.socket_transport import SocketTransport
from a2serve.gateway.realtime.limits import SessionLimits
from a2serve.gateway.realtime.transport.send_queue import SendQueue, SlowReader
from a2serve.gateway.realtime.transport.transport import Incoming, Outgoing, Packed


class Wire:
    """A socket that may stop taking frames."""

    def __init__(self) -> None:
        self.frames: list[str | bytes] = []
        self.open = asyncio.Event()
        self.open.set()

    async def receive(self) -> Incoming:
        raise AssertionError

    def pack(self, event: Outgoing) -> Packed:
        return SocketTransport.pack(self, event)

    async def send(self, packed: Packed) -> None:
        await self.open.wait()
        self.frames.append(packed.content)


def delta(response_id: str) -> AudioDelta:
    return AudioDelta(response_id=response_id, output_index=0, item_id="i", delta=b"x" * 75)


def test_events_are_numbered_in_order():
    async def scene() -> None:
        wire = Wire()
        queue = SendQueue(wire, "sess_0123456789", SessionLimits(), sequence=41)
        task = asyncio.create_task(queue.run())
        assert [queue.send(Cleared()) for _ in range(3)] == [42, 43, 44]
        await asyncio.sleep(0.01)
        task.cancel()
        assert [json.loads(frame)["event_id"] for frame in wire.frames] == [f"event_23456789_{n}" for n in (42, 43, 44)]

    asyncio.run(scene())


def test_media_of_a_cut_response_is_dropped_and_nothing_else():
    async def scene() -> None:
        wire = Wire()
        queue = SendQueue(wire, "sess_1", SessionLimits())
        queue.send(delta("r1"), media_of="r1")
        queue.send(Cleared())
        queue.send(delta("r2"), media_of="r2")
        queue.drop_media("r1")
        task = asyncio.create_task(queue.run())
        await asyncio.sleep(0)  # one turn writes all that is queued
        task.cancel()
        assert [json.loads(frame)["type"] for frame in wire.frames] == ["input_audio_buffer.cleared", "response.output_audio.delta"]

    asyncio.run(scene())


@pytest.mark.parametrize("limits", [SessionLimits(queue_messages=8), SessionLimits(queue_bytes=1000)])
def test_media_wait_at_the_half_and_reading_at_the_whole(limits: SessionLimits):
    async def scene() -> None:
        wire = Wire()
        queue = SendQueue(wire, "sess_1", limits)
        await queue.space_for_media()
        for _ in range(4):
            queue.send(delta("r"))
        media = asyncio.create_task(queue.space_for_media())
        await queue.space()
        for _ in range(4):
            queue.send(delta("r"))
        reading = asyncio.create_task(queue.space())
        await asyncio.sleep(0.01)
        assert not media.done() and not reading.done()
        task = asyncio.create_task(queue.run())
        await asyncio.wait_for(asyncio.gather(media, reading), 1)
        task.cancel()

    asyncio.run(scene())


def test_one_frame_may_not_take_for_ever():
    async def scene() -> None:
        wire = Wire()
        wire.open.clear()
        queue = SendQueue(wire, "sess_1", SessionLimits(stall_s=0.02))
        queue.send(Cleared())
        with pytest.raises(SlowReader):
            await asyncio.wait_for(queue.run(), 1)

    asyncio.run(scene())


def test_all_is_sent_when_the_last_frame_has_gone():
    async def scene() -> None:
        wire = Wire()
        wire.open.clear()
        queue = SendQueue(wire, "sess_1", SessionLimits())
        task = asyncio.create_task(queue.run())
        for _ in range(2):
            queue.send(Cleared())
        waiting = asyncio.create_task(queue.all_sent())
        await asyncio.sleep(0.01)
        assert not waiting.done(), "one is on its way, one waits"
        wire.open.set()
        await asyncio.wait_for(waiting, 1)
        assert len(wire.frames) == 2
        task.cancel()

    asyncio.run(scene())
