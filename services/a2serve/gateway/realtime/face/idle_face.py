"""The idle face, for clients that asked for motion: idle, listening, thinking, and back after a cut.

Its clock follows the input audio and goes on with the session's own when no audio comes.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from a2llm.messages import IdleRequest, IdleState, Motion
from a2serve.contracts.a2_events import ListeningDelta
from a2serve.contracts.media_clock import frame_to_samples
from a2serve.contracts.packets import MediaPacket, PacketKind
from a2serve.contracts.problems import Problem
from a2serve.contracts.session_config import A2Config, MotionConfig
from a2serve.gateway.model_client.interface import InferenceClient
from a2serve.gateway.realtime.face.motion_track import values_of
from a2serve.gateway.realtime.transport.send_queue import SendQueue
from a2serve.gateway.realtime.turn.machine import Phase

CHUNK_MS = 200
AHEAD_MS = 200  # so that the next chunk arrives before this one is played
NOD_DELAY_MS = 120
RETRY_PAUSE_S = 2.0
_STATES: dict[Phase, IdleState] = {"idle": "idle", "listening": "listening", "thinking": "thinking"}


class IdleFace:
    """The idle face of one session. `input_ms()` returns how much audio came."""

    def __init__(
        self,
        inference: InferenceClient,
        out: SendQueue,
        session_id: str,
        *,
        extension: Callable[[], A2Config | None],
        input_ms: Callable[[], int],
        now_ms: Callable[[], float],
    ) -> None:
        self._inference, self._out, self._session_id = inference, out, session_id
        self._extension, self._input_ms, self._now_ms = extension, input_ms, now_ms
        self._opened_ms = now_ms()
        self._lag_ms = 0.0
        self._sent_ms = 0.0  # the face is known up to here
        self._sequence = 0
        self._nods: list[float] = []
        self._return_from = b""
        self._wake = asyncio.Event()

    def nod(self) -> None:
        """The user ended a phrase."""
        self._nods.append(self.clock_ms() + AHEAD_MS + NOD_DELAY_MS)

    def return_from(self, pose_f16: bytes) -> None:
        """Speech was cut in this pose: ease back from it."""
        self._return_from = pose_f16
        self._wake.set()

    def clock_ms(self) -> float:
        """The input clock: audio received, or the session's time where that is further."""
        session_ms = self._now_ms() - self._opened_ms - self._lag_ms
        if self._input_ms() > session_ms:  # audio came faster than real time
            self._lag_ms -= self._input_ms() - session_ms
            session_ms = float(self._input_ms())
        return session_ms

    async def run(self, phase: Callable[[], Phase]) -> None:
        """Sends motion until cancelled. `phase()` returns the turn's phase. Without inference it sends none; the client has its own
        blinking."""
        while True:
            extension = self._extension()
            try:
                if extension and extension.events and extension.motion:
                    await self._out.space_for_media()
                    await self._advance(extension, extension.motion, phase)
            except Problem:
                await asyncio.sleep(RETRY_PAUSE_S)
            self._wake.clear()
            if not self._return_from:
                await _either(self._wake, CHUNK_MS / 1000)

    async def _advance(self, extension: A2Config, motion: MotionConfig, phase: Callable[[], Phase]) -> None:
        clock_ms = self.clock_ms()
        if self._return_from:
            pose, self._return_from = self._return_from, b""
            self._sent_ms = clock_ms
            self._send(extension, "return", await self._ask(motion, "return", 0, pose))
        state = _STATES.get(phase())
        if state is None or not extension.listening:
            self._sent_ms = max(self._sent_ms, clock_ms)
            return
        frames = int((max(clock_ms, self._sent_ms) + AHEAD_MS - self._sent_ms) * motion.fps / 1000)
        if clock_ms + AHEAD_MS > self._sent_ms and frames:
            self._send(extension, state, await self._ask(motion, state, min(frames, 2 * motion.fps), b""))

    async def _ask(self, motion: MotionConfig, state: IdleState, frames: int, pose: bytes) -> Motion:
        first = round(self._sent_ms * motion.fps / 1000)
        nods = tuple(round(at_ms * motion.fps / 1000) for at_ms in self._nods)
        self._nods = [at_ms for at_ms in self._nods if at_ms > self._sent_ms]
        seed = int.from_bytes(self._session_id.encode()[-6:], "big")
        request = IdleRequest(self._session_id, state, first, frames, motion.rig, motion.fps, nods, seed, pose)
        return await self._inference.idle(request)

    def _send(self, extension: A2Config, state: IdleState, motion: Motion) -> None:
        if not motion.frames or not extension.motion:
            return
        start_ms = 1000 * motion.first_frame / motion.hz
        self._sent_ms = start_ms + 1000 * motion.frames / motion.hz
        if extension.binary:
            width, pts = len(motion.values_f16) // 2 // motion.frames, frame_to_samples(motion.first_frame, motion.hz)
            packet = MediaPacket(PacketKind.LISTENING, motion.values_f16, "", self._sequence, pts, motion.frames, width)
            self._out.send_packet(packet)
        else:
            self._out.send(
                ListeningDelta(
                    state=state,
                    rig=motion.rig,
                    fps=motion.hz,
                    sequence=self._sequence,
                    start_ms=start_ms,
                    frames=motion.frames,
                    values=values_of(motion, extension.motion.encoding),
                )
            )
        self._sequence += 1


async def _either(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
