"""The events of one turn, gathered into one answer."""

import base64
from typing import Literal

from a2serve.contracts.a2_events import AffectEvent, MotionDelta, MotionHeader
from a2serve.contracts.items import FunctionCallItem, MessageItem
from a2serve.contracts.media_clock import BYTES_PER_MS, RATE_HZ
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import AudioDelta, ErrorEvent, ResponseBody, ResponseDone, ServerEventBase, TranscriptionCompleted
from a2serve.gateway.hearing.sound_files import write_wav
from a2serve.gateway.rest.turn_models import AffectOut, AudioOut, FunctionCallOut, MotionOut, TurnBody, UserOut


def problem_of(event: ServerEventBase) -> Problem | None:
    """The problem that an event tells of: an `error`, or a response that failed."""
    if isinstance(event, ErrorEvent):
        error, param = event.error, event.error.param
    elif isinstance(event, ResponseDone) and event.response.status == "failed":
        error, param = event.response.status_details and event.response.status_details.error, None
    else:
        return None
    code = Code(error.code) if error and error.code in set(Code) else Code.INTERNAL
    return Problem(code, (error and error.message) or str(code), param=param)


class TurnCollector:
    """`take` every event, then ask for the `body`. Raises Problem where the turn failed."""

    def __init__(self, session_id: str, audio_format: Literal["wav", "pcm16"]) -> None:
        self._session_id = session_id
        self._format: Literal["wav", "pcm16"] = audio_format
        self._pcm16, self._motion_bytes, self._motion_rows = bytearray(), bytearray(), list[list[float]]()
        self._frames = 0
        self._motion_start_ms = 0.0
        self._header: MotionHeader | None = None
        self._done: ResponseBody | None = None
        self._user: TranscriptionCompleted | None = None
        self._affects: dict[str, AffectOut] = {}

    def take(self, event: ServerEventBase) -> None:
        """Takes one event of the turn. Raises Problem for an error."""
        if problem := problem_of(event):
            raise problem
        match event:
            case AudioDelta():
                self._pcm16 += event.delta
            case MotionHeader():
                self._header = event
            case MotionDelta():
                self._move(event)
            case AffectEvent():
                self._affects.setdefault(event.whose, AffectOut(category=event.category, intensity=event.intensity))  # as it began
            case TranscriptionCompleted():
                self._user = event
            case ResponseDone():
                self._done = event.response
            case _:
                pass

    def body(self) -> TurnBody:
        """Body of the whole turn. Raises Problem if it ended without a response."""
        done = self._done
        if done is None or done.status in ("in_progress", "failed"):
            raise Problem(Code.INTERNAL, "the turn ended without an answer")
        calls = [item for item in done.output if isinstance(item, FunctionCallItem)]
        return TurnBody(
            id=done.id,
            session_id=self._session_id,
            status=done.status,
            status_details=done.status_details.model_dump() if done.status_details else None,
            text=_text(done),
            affect=self._affects.get("avatar"),
            user=self._user_out(),
            audio=self._audio(),
            motion=self._motion(),
            usage=done.usage.model_dump() if done.usage else None,
            function_calls=[FunctionCallOut(call_id=item.call_id or "", name=item.name, arguments=item.arguments) for item in calls],
        )

    def _move(self, event: MotionDelta) -> None:
        if not self._frames:
            self._motion_start_ms = event.start_ms
        self._frames += event.frames
        if isinstance(event.values, bytes):
            self._motion_bytes += event.values
        else:
            self._motion_rows += event.values

    def _user_out(self) -> UserOut | None:
        if self._user is None:
            return None
        return UserOut(item_id=self._user.item_id, transcript=self._user.transcript, affect=self._affects.get("user"))

    def _audio(self) -> AudioOut | None:
        if not self._pcm16:
            return None
        pcm16 = bytes(self._pcm16)
        data = base64.b64encode(write_wav(pcm16) if self._format == "wav" else pcm16).decode()
        return AudioOut(format=self._format, sample_rate_hz=RATE_HZ, duration_ms=len(pcm16) // BYTES_PER_MS, data=data)

    def _motion(self) -> MotionOut | None:
        head = self._header
        if head is None:
            return None
        values = self._motion_rows if head.encoding == "json" else base64.b64encode(bytes(self._motion_bytes)).decode()
        return MotionOut(
            rig=head.rig,
            fps=head.fps,
            encoding=head.encoding,
            coefficient_names=head.coefficient_names,
            start_ms=self._motion_start_ms,
            frames=self._frames,
            values=values,
        )


def _text(done: ResponseBody) -> str:
    """Text of all messages."""
    parts = [part for item in done.output if isinstance(item, MessageItem) for part in item.content]
    return "\n".join(text for part in parts if (text := part.transcript or part.text))
