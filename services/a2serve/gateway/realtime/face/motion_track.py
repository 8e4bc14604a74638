"""Motion of one response on its way out: header, deltas, done; and the pose at any moment of the last seconds."""

from collections import deque

import numpy as np

from a2llm.messages import Motion
from a2serve.contracts.a2_events import MotionDelta, MotionDone, MotionHeader
from a2serve.contracts.media_clock import frame_to_samples
from a2serve.contracts.packets import MediaPacket, PacketKind
from a2serve.contracts.session_config import MotionConfig
from a2serve.gateway.realtime.transport.send_queue import SendQueue

POSES_KEPT = 60  # packets of 50 ms: longer than the lead, so that the played pose is among them


def values_of(motion: Motion, encoding: str) -> bytes | list[list[float]]:
    """Values [frames, C] as float16, or as lists."""
    if encoding == "f16_base64":
        return motion.values_f16
    values = np.frombuffer(motion.values_f16, "<f2").reshape(motion.frames, -1)
    return [[round(float(value), 4) for value in frame] for frame in values]


class MotionTrack:
    """Motion of one response on its way out."""

    def __init__(self, out: SendQueue, config: MotionConfig, names: tuple[str, ...], response_id: str, *, binary: bool) -> None:
        self._out, self._config, self._names, self._response_id, self._binary = out, config, names, response_id, binary
        self._sequence = 0
        self._item_id = ""
        self._recent: deque[Motion] = deque(maxlen=POSES_KEPT)

    def delta(self, motion: Motion, item_id: str, output_index: int) -> None:
        """Send frames; the header goes before the first."""
        if not self._item_id:
            self._item_id = item_id
            self._header(motion)
        self._recent.append(motion)
        start_ms = 1000 * motion.first_frame / motion.hz
        if self._binary:
            self._send_packet(motion, output_index)
        else:
            event = MotionDelta(
                response_id=self._response_id,
                item_id=item_id,
                output_index=output_index,
                sequence=self._sequence,
                start_ms=start_ms,
                frames=motion.frames,
                values=values_of(motion, self._config.encoding),
            )
            self._out.send(event, media_of=self._response_id)
        self._sequence += 1

    def done(self, end_ms: int) -> None:
        """No more; sends nothing where there was no motion."""
        if self._item_id:
            self._out.send(MotionDone(response_id=self._response_id, item_id=self._item_id, end_ms=end_ms))

    def pose_at(self, ms: float) -> bytes:
        """float16 [C] of the frame shown at `ms`; empty where it is not known."""
        for motion in reversed(self._recent):
            first_ms = 1000 * motion.first_frame / motion.hz
            if first_ms <= ms and motion.frames:
                width = len(motion.values_f16) // motion.frames
                index = min(int((ms - first_ms) * motion.hz / 1000), motion.frames - 1)
                return motion.values_f16[index * width : (index + 1) * width]
        return b""

    def _header(self, motion: Motion) -> None:
        self._out.send(
            MotionHeader(
                response_id=self._response_id,
                item_id=self._item_id,
                rig=motion.rig,
                fps=motion.hz,
                encoding=self._config.encoding,
                coefficient_names=list(self._names),
            )
        )

    def _send_packet(self, motion: Motion, output_index: int) -> None:
        width = len(motion.values_f16) // 2 // motion.frames if motion.frames else 0
        pts = frame_to_samples(motion.first_frame, motion.hz)
        packet = MediaPacket(
            PacketKind.MOTION, motion.values_f16, self._response_id, self._sequence, pts, motion.frames, width, output_index
        )
        self._out.send_packet(packet)
