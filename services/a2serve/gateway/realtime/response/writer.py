"""Writes one response as Realtime events, in GA order and with the right ids. Decides nothing and never waits.

created, then per output item: output_item.added, item.added, content_part.added, deltas, the `done` of each, and at
last response.done and rate_limits.updated. After `close` nothing can be written any more.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from a2llm.messages import Affect, FunctionCall, Motion, Usage
from a2serve.contracts.a2_events import AffectEvent
from a2serve.contracts.media_clock import AUDIO_FRAME_HZ, BYTES_PER_SAMPLE, samples_to_ms
from a2serve.contracts.packets import MediaPacket, PacketKind
from a2serve.contracts.server_events import (
    ArgumentsDelta,
    ArgumentsDone,
    AudioDelta,
    AudioDone,
    CachedTokens,
    ContentPartAdded,
    ContentPartDone,
    InputTokenDetails,
    ItemAdded,
    ItemDone,
    ItemTruncated,
    OutputAudioInfo,
    OutputItemAdded,
    OutputItemDone,
    OutputTokenDetails,
    ResponseAudioInfo,
    ResponseBody,
    ResponseCreated,
    ResponseDone,
    ResponsePart,
    ResponseUsage,
    StatusDetails,
    TextDelta,
    TextDone,
    TranscriptDelta,
    TranscriptDone,
)
from a2serve.gateway.conversation.conversation import Conversation, Item, Part
from a2serve.gateway.conversation.words import Word, joined
from a2serve.gateway.hearing.audio_formats import encoder_of
from a2serve.gateway.realtime.face.motion_track import MotionTrack
from a2serve.gateway.realtime.response.settings import ResponseSettings
from a2serve.gateway.realtime.transport.send_queue import SendQueue


class ResponseWriter:
    """One response on the wire. `conversation` is None for a response outside of it."""

    def __init__(
        self,
        out: SendQueue,
        settings: ResponseSettings,
        response_id: str,
        *,
        conversation: Conversation | None,
        conversation_id: str,
        new_id: Callable[[str], str],
        rig_names: tuple[str, ...],
        audio_frame_hz: float = AUDIO_FRAME_HZ,
    ) -> None:
        self.id, self.settings, self.items = response_id, settings, list[Item]()
        self.message: Item | None = None
        self.closed = False
        motion = settings.motion
        self.motion_track = MotionTrack(out, motion, rig_names, response_id, binary=settings.binary) if motion else None
        self._out, self._conversation, self._conversation_id, self._new_id = out, conversation, conversation_id, new_id
        self._encoder = encoder_of(settings.audio_format)
        self._sequence, self._audio_frame_hz = 0, audio_frame_hz
        self._tokens: list[int] = []

    def write_created(self) -> None:
        """Sends response.created, before anything else."""
        self._out.send(ResponseCreated(response=self._body("in_progress", None, None)))

    def note_fact(self, key: str, value: str) -> None:
        """Adds a fact to the response's metadata, for clients that opted in."""
        if self.settings.events:
            self.settings = replace(self.settings, metadata=(self.settings.metadata or {}) | {key: value})

    def write_text(self, text: str, start_ms: float) -> None:
        """Words that begin at `start_ms`."""
        item = self._open_message()
        delta = f" {text}" if item.words else text
        item.words.append(Word(start_ms, text))
        item.parts[0].text = joined(item.words)
        kind = TranscriptDelta if self.settings.modality == "audio" else TextDelta
        self._out.send(kind(**self._place(item), delta=delta), media_of=self.id)

    def keep_tokens(self, tokens: tuple[int, ...]) -> None:
        """Tokens as the model wrote them, ahead of the words; the message keeps them if it comes to its end."""
        self._tokens += tokens

    def write_audio(self, pcm16: bytes, pts_samples: int) -> None:
        """Sound that begins at `pts_samples` (24 kHz)."""
        item = self._open_message()
        item.audio_ms = samples_to_ms(pts_samples + len(pcm16) // BYTES_PER_SAMPLE)
        data = self._encoder.encode(pcm16)
        if self.settings.binary:
            index = self.items.index(item)
            self._out.send_packet(MediaPacket(PacketKind.AUDIO, data, self.id, self._sequence, pts_samples, output_index=index))
        else:
            self._out.send(AudioDelta(**self._place(item), delta=data), media_of=self.id)
        self._sequence += 1

    def write_motion(self, motion: Motion) -> None:
        """Sends frames of the face, where they are wanted."""
        if self.motion_track and motion.frames:
            item = self._open_message()
            self.motion_track.delta(motion, item.id, self.items.index(item))

    def write_affect(self, affect: Affect) -> None:
        """Sends the affect that the avatar expresses, to clients that opted in."""
        if self.settings.events:
            item_id = self._open_message().id
            self._out.send(
                AffectEvent(whose="avatar", item_id=item_id, response_id=self.id, category=affect.category, intensity=affect.intensity)
            )

    def write_call(self, call: FunctionCall) -> None:
        """A whole function call, as an output item of its own."""
        self._close_message(None, "completed")
        item = Item(self._new_id("item"), "function_call", status="in_progress", call_id=call.call_id, name=call.name)
        index = self._add(item)
        item.text, item.status = call.arguments, "completed"
        place: dict[str, Any] = {"response_id": self.id, "output_index": index, "item_id": item.id, "call_id": call.call_id}
        self._out.send(ArgumentsDelta(**place, delta=call.arguments))
        self._out.send(ArgumentsDone(**place, name=call.name, arguments=call.arguments))
        self._done(item)

    def write_end(self, details: StatusDetails, usage: Usage, cut_ms: float | None = None) -> int | None:
        """The `done` of everything, once. With `cut_ms`: audio, transcript and motion end there; returns the clamped cut."""
        assert not self.closed, "a response ends once"
        cut = self._close_message(cut_ms, "completed" if details.type == "completed" else "incomplete")
        if not self.items and details.type == "completed" and self.settings.modality == "text":
            self._open_message()
            self._close_message(None, "completed")
        self.closed = True
        self._out.send(ResponseDone(response=self._body(details.type, details, self._usage(usage))))
        return cut

    def unfinished(self, details: StatusDetails, usage: Usage) -> ResponseBody:
        """response.done, should it end here without another word."""
        items = [replace(item, status="incomplete") if item.status == "in_progress" else item for item in self.items]
        body = self._body(details.type, details, self._usage(usage))
        return body.model_copy(update={"output": [item.wire() for item in items]})

    def _open_message(self) -> Item:
        if self.message is None:
            self.message = Item(self._new_id("item"), role="assistant", status="in_progress")
            index = self._add(self.message)
            audio = self.settings.modality == "audio"
            self.message.parts = [Part("output_audio" if audio else "output_text", "")]
            part = ResponsePart(type="audio", transcript="") if audio else ResponsePart(type="text", text="")
            self._out.send(ContentPartAdded(response_id=self.id, item_id=self.message.id, output_index=index, part=part))
        return self.message

    def _close_message(self, cut_ms: float | None, status: Any) -> int | None:
        item, self.message = self.message, None
        if item is None:
            return None
        item.status = status
        item.tokens, self._tokens = self._tokens if cut_ms is None else [], []
        audio = self.settings.modality == "audio"
        sent_ms = item.audio_ms
        cut = item.cut(cut_ms) if audio and cut_ms is not None else None
        text, place = joined(item.words), self._place(item)
        if audio:
            self._out.send(AudioDone(**place))
            self._out.send(TranscriptDone(**place, transcript=text))
        else:
            self._out.send(TextDone(**place, text=text))
        part = ResponsePart(type="audio", transcript=text) if audio else ResponsePart(type="text", text=text)
        self._out.send(ContentPartDone(**place, part=part))
        if self.motion_track:
            self.motion_track.done(int(item.audio_ms))
        self._done(item)
        if cut is not None and cut < int(sent_ms) and self._holds(item):  # something that was sent is unsaid
            self._out.send(ItemTruncated(item_id=item.id, audio_end_ms=cut))
        return cut

    def _add(self, item: Item) -> int:
        index = len(self.items)
        self.items.append(item)
        self._out.send(OutputItemAdded(response_id=self.id, output_index=index, item=item.wire()))
        if self._conversation:
            before = self._conversation.add(item)
            self._out.send(ItemAdded(previous_item_id=before, item=item.wire()))
        return index

    def _done(self, item: Item) -> None:
        if self._conversation and self._holds(item):
            before = self._conversation.before(item.id)
            item.sequence = self._out.send(ItemDone(previous_item_id=before, item=item.wire()))
        self._out.send(OutputItemDone(response_id=self.id, output_index=self.items.index(item), item=item.wire()))

    def _holds(self, item: Item) -> bool:
        """The conversation does; the client may have deleted it meanwhile."""
        return self._conversation is not None and self._conversation.holds(item)

    def _place(self, item: Item) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": item.id, "output_index": self.items.index(item)}

    def _body(self, status: Any, details: StatusDetails | None, usage: ResponseUsage | None) -> ResponseBody:
        settings = self.settings
        return ResponseBody(
            id=self.id,
            status=status,
            status_details=details if status != "completed" else None,
            output=[item.wire() for item in self.items] if status != "in_progress" else [],
            conversation_id=self._conversation_id if self._conversation else None,
            output_modalities=[settings.modality],
            max_output_tokens=settings.max_output_tokens,
            audio=ResponseAudioInfo(output=OutputAudioInfo(format=settings.audio_format, voice=settings.voice)),
            usage=usage,
            metadata=settings.metadata,
        )

    def _usage(self, usage: Usage) -> ResponseUsage:
        """No input token is an audio token: the backbone reads the transcript. What was listened to is counted in milliseconds."""
        audio_tokens = int(usage.output_audio_ms * self._audio_frame_hz / 1000)
        output = usage.output_text_tokens + audio_tokens
        cached = CachedTokens(text_tokens=usage.cached_tokens)
        return ResponseUsage(
            total_tokens=usage.input_tokens + output,
            input_tokens=usage.input_tokens,
            output_tokens=output,
            input_token_details=InputTokenDetails(
                text_tokens=usage.input_tokens, cached_tokens=usage.cached_tokens, cached_tokens_details=cached
            ),
            output_token_details=OutputTokenDetails(text_tokens=usage.output_text_tokens, audio_tokens=audio_tokens),
        )
