"""One response from `created` to `done`: asks inference, sends packets in time, can be held and cut.

Cutting is synchronous: the caller writes the closing events at once and the stream is closed, so nothing of the
response can leave afterwards.
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from opentelemetry.trace import use_span

from a2llm.messages import Packet, ResponseRequest, Timings, Usage
from a2serve.contracts.media_clock import BYTES_PER_SAMPLE, samples_to_ms
from a2serve.contracts.problems import Problem
from a2serve.contracts.server_events import StatusDetails, StatusError
from a2serve.gateway.conversation.conversation import Item
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.model_client.interface import InferenceClient
from a2serve.gateway.model_client.wire_rate import WireRate
from a2serve.gateway.realtime.response.pacing import Pacer
from a2serve.gateway.realtime.response.turn_trace import TurnTrace
from a2serve.gateway.realtime.response.writer import ResponseWriter
from a2serve.gateway.realtime.transport.send_queue import SendQueue
from a2serve.telemetry import names

TURN_DETECTED = StatusDetails(type="cancelled", reason="turn_detected")
CLIENT_CANCELLED = StatusDetails(type="cancelled", reason="client_cancelled")
_INCOMPLETE: dict[str, Literal["max_output_tokens", "content_filter"]] = {
    "max_output_tokens": "max_output_tokens",
    "content": "content_filter",
}


@dataclass(slots=True)
class ResponseTimes:
    """Times of one turn, in ms on the session's clock; None = it did not happen."""

    asked_ms: float
    endpointing_ms: float = 0.0
    words_ms: float | None = None
    first_packet_ms: float | None = None
    first_motion_ms: float | None = None


class Preparation(Protocol):
    """Steps before a response is made."""

    @property
    def counted(self) -> bool:
        """Whether it is among the requests of its tenant."""
        ...

    async def request(self) -> ResponseRequest | None:
        """Waits for what the user said; None when there is nothing to answer. Raises Problem."""
        ...


class Listener(Protocol):
    """Receives what a response does."""

    def response_sounded(self, response: "Response", pcm16: bytes) -> None:
        """It is about to send this sound."""
        ...

    def response_ended(self, response: "Response") -> None:
        """Called when the response has written its end, for whatever reason."""
        ...


class Response:
    """One response. `words`: it says those. `input_audio_ms`: what the user committed since the response before, for the bill."""

    def __init__(
        self,
        writer: ResponseWriter,
        pacer: Pacer,
        out: SendQueue,
        inference: InferenceClient,
        *,
        preparation: Preparation,
        listener: Listener,
        now_ms: Callable[[], float],
        trace: TurnTrace,
        times: ResponseTimes,
        words: GivenStream | None = None,
        input_audio_ms: int = 0,
    ) -> None:
        self.writer, self.pacer, self.times, self.trace = writer, pacer, times, trace
        self.input_audio_ms = input_audio_ms
        self.usage, self.timings, self.status = Usage(), Timings(), "in_progress"  # usage: of what was sent
        self.motion_frames = 0
        self.model = ""  # the revision that answered; empty: none did, or it does not say
        self.code = ""  # of the problem that it failed with
        self.cut_ms: int | None = None
        self._out, self._inference, self._preparation = out, inference, preparation
        self._listener, self._now_ms, self._words = listener, now_ms, words

    @property
    def id(self) -> str:
        """Its response_id, as clients see it."""
        return self.writer.id

    @property
    def items(self) -> list[Item]:
        """The output items so far, in their order."""
        return self.writer.items

    @property
    def in_conversation(self) -> bool:
        """Whether it is the conversation's own."""
        return self.writer.settings.in_conversation

    @property
    def counted(self) -> bool:
        """Whether it is among the requests of its tenant."""
        return self._preparation.counted

    @property
    def spoke(self) -> bool:
        """True if sound was sent."""
        return self.pacer.clock.sent_ms > 0

    async def run(self) -> None:
        """To its end, unless it is cut before."""
        with use_span(self.trace.span, record_exception=False, set_status_on_exception=False):
            try:
                request = await self._preparation.request()
                self.times.words_ms = self._now_ms()
                self.trace.part(names.SPAN_TRANSCRIPTION, self.times.words_ms - self.times.asked_ms)
                if request is None:
                    self.cut(TURN_DETECTED, 0.0)
                else:
                    await self._stream(request)
            except Problem as problem:
                self._fail(problem)

    def playback_over(self) -> None:
        """Notes that its last sound was played, or never will be; a second call changes nothing."""
        if not self.trace.open:
            return
        if self.times.first_packet_ms is not None:
            self.trace.part(names.SPAN_PLAYBACK, self._now_ms() - self.times.first_packet_ms)
        self.trace.end(self.status, self.cut_ms)

    def cut(self, details: StatusDetails, at_ms: float) -> None:
        """End it: audio, transcript and motion end at `at_ms`. The caller stops the task."""
        self._out.drop_media(self.id)
        self._close(details, at_ms)

    def cut_tail(self, end_ms: int) -> None:
        """All of it was sent, and the player stopped at `end_ms`."""
        self.cut_ms = end_ms
        self.playback_over()

    def pose_at(self, ms: float) -> bytes:
        """float16 [C] of the face at `ms` of its audio; empty where it has none or it is not known."""
        return self.writer.motion_track.pose_at(ms) if self.writer.motion_track else b""

    def give_back_audio(self) -> int:
        """Takes the user's audio off this response's bill; returns its milliseconds."""
        given, self.input_audio_ms = self.input_audio_ms, 0
        return given

    async def _stream(self, request: ResponseRequest) -> None:
        wire_rate = WireRate()
        async with aclosing(self._inference.respond(request, self._words)) as packets:
            async for own in packets:
                packet = wire_rate.packet(own)
                await self.pacer.due(samples_to_ms(packet.pts_samples))
                await self._out.space_for_media()
                self._send_packet(packet)
                if packet.done:
                    return
        self._fail_silently()

    def _send_packet(self, packet: Packet) -> None:
        writer = self.writer
        if writer.closed:
            return
        writer.keep_tokens(packet.tokens)
        self.usage, self.model = packet.usage or self.usage, packet.revision or self.model
        if packet.affect:
            writer.write_affect(packet.affect)
        if packet.text:
            writer.write_text(packet.text, samples_to_ms(packet.pts_samples))
        if packet.pcm16 and writer.settings.modality == "audio":
            writer.write_audio(packet.pcm16, packet.pts_samples)
            self._note_first_sound()
            self._listener.response_sounded(self, packet.pcm16)
            self.pacer.sent(samples_to_ms(packet.pts_samples + len(packet.pcm16) // BYTES_PER_SAMPLE))
        if packet.motion and writer.motion_track:
            writer.write_motion(packet.motion)
            self.motion_frames += packet.motion.frames
            self._note_first_motion()
        if packet.function_call:
            writer.write_call(packet.function_call)
        if packet.done:
            self.usage, self.timings = packet.done.usage, packet.done.timings
            writer.note_fact(names.ATTR_COMPUTE_MS, f"{self.timings.compute_ms:.1f}")
            self._finish(packet.done.reason)

    def _note_first_sound(self) -> None:
        if self.times.first_packet_ms is None:
            self.times.first_packet_ms = self._now_ms()
            self.trace.part(names.SPAN_FIRST_PACKET, self.times.first_packet_ms - (self.times.words_ms or self.times.asked_ms))

    def _note_first_motion(self) -> None:
        if self.times.first_motion_ms is None:
            self.times.first_motion_ms = self._now_ms()
            self.trace.part(names.SPAN_FIRST_MOTION, self.times.first_motion_ms - (self.times.words_ms or self.times.asked_ms))

    def _finish(self, reason: str) -> None:
        if reason in _INCOMPLETE:
            self._close(StatusDetails(type="incomplete", reason=_INCOMPLETE[reason]), None)
        elif reason == "cancelled":
            self._close(CLIENT_CANCELLED, self.pacer.clock.sent_ms)
        else:
            self._close(StatusDetails(type="completed"), None)

    def _fail(self, problem: Problem) -> None:
        message = problem.detail + (f" (retry after {problem.retry_after_ms} ms)" if problem.retry_after_ms else "")
        error = StatusError(type=problem.meaning.kind, code=problem.code, message=message)
        self._close(StatusDetails(type="failed", error=error), self.pacer.clock.sent_ms)

    def _fail_silently(self) -> None:
        """Ends a stream without `done`, which is a defect of the other side and reported as such."""
        error = StatusError(type="server_error", code="internal_error", message="the model ended its answer without a word why")
        self._close(StatusDetails(type="failed", error=error), self.pacer.clock.sent_ms)

    def _close(self, details: StatusDetails, cut_ms: float | None) -> None:
        """Closes it with the cost of what was sent, however it ends."""
        if self.writer.closed:
            return
        self.status, self.code = details.type, details.error.code if details.error else ""
        if not self.usage.output_audio_ms:
            self.usage = replace(self.usage, output_audio_ms=int(self.pacer.clock.sent_ms))
        self.cut_ms = self.writer.write_end(details, self.usage, cut_ms)
        self._listener.response_ended(self)
