"""What the client asks: one method per client event. Problems go back as `error` events; the socket stays open."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any

from a2serve.contracts import client_events as ask
from a2serve.contracts.events import parse_client_event
from a2serve.contracts.items import MessageItem
from a2serve.contracts.packets import PacketKind, read_packet
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import (
    Cleared,
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ItemRetrieved,
    ItemTruncated,
    ResponseBody,
    ResponseDone,
    SessionCreated,
    SessionUpdated,
)
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.conversation.conversation import item_of_wire
from a2serve.gateway.hearing.audio_formats import decoder_of
from a2serve.gateway.model_client.interface import ModelInfo
from a2serve.gateway.realtime.response.settings import check_extension, check_tools, check_voice
from a2serve.gateway.realtime.session.collaborators import SessionFacts
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.session.user_turns import SessionTurns
from a2serve.gateway.realtime.turn.events import Configured, InputTaken, ResponseEnded
from a2serve.gateway.realtime.turn.rules import rules_of


class SessionCommands:
    """Reads frames and does what they say."""

    def __init__(self, core: SessionCore, turns: SessionTurns) -> None:
        self._core, self._turns = core, turns
        self._do: dict[type, Callable[[Any], Awaitable[None]]] = {
            ask.SessionUpdate: self._update,
            ask.InputAudioAppend: self._append,
            ask.InputAudioCommit: self._commit,
            ask.InputAudioClear: self._clear,
            ask.ItemCreate: self._create_item,
            ask.ItemRetrieve: self._retrieve,
            ask.ItemDelete: self._delete,
            ask.ItemTruncate: self._truncate,
            ask.ResponseCreate: self._respond,
            ask.ResponseCancel: self._cancel,
            ask.Playback: self._playback,
        }

    async def take(self, frame: str | bytes) -> None:
        """One frame of the client. Never raises for what the client did."""
        event_id: str | None = None
        try:
            if len(frame) > self._core.parts.limits.max_event_bytes:
                limit = self._core.parts.limits.max_event_bytes
                raise Problem(Code.EVENT_TOO_LARGE, f"a frame may have {limit} bytes; this one has {len(frame)}")
            if isinstance(frame, bytes):
                await self._packet(frame)
                return
            event = parse_client_event(frame)
            event_id = event.event_id
            await self._do[type(event)](event)
        except Problem as problem:
            self._core.error(problem, event_id)

    async def greet(self) -> None:
        """session.created; to a returning client also the items it has not seen, no faster than it reads."""
        core = self._core
        core.out.send(SessionCreated(session=self._session()))
        if core.identity.resumed_after:
            before = None
            for item in list(core.conversation.items):
                if item.sequence > core.identity.resumed_after:
                    await core.out.room()
                    core.out.send(ItemAdded(previous_item_id=before, item=item.wire()))
                    item.sequence = core.out.send(ItemDone(previous_item_id=before, item=item.wire()))
                    core.keeper.item_done(item)
                before = item.id
        for body in core.lost:
            core.out.send(ResponseDone(response=ResponseBody.model_validate(body)))

    async def _packet(self, frame: bytes) -> None:
        if not (self._core.config.a2 and self._core.config.a2.binary):
            raise Problem(Code.UNSUPPORTED, "binary frames are off: turn them on with session.a2.binary")
        packet = read_packet(frame)
        if packet.kind is not PacketKind.INPUT_AUDIO:
            raise Problem(Code.INVALID_PACKET, "clients send input audio only")
        await self._turns.append(packet.payload)

    async def _update(self, event: ask.SessionUpdate) -> None:
        core, patch = self._core, event.session
        merged = core.config.merged_with(patch)
        core.check_fixed(merged, "session")
        check_tools(merged.tools, merged.tool_choice)
        await self._with_model(lambda info: check_extension(merged, info))
        await self._with_model(lambda info: check_voice(patch.audio.output.voice, info))
        before, core.config = core.config.audio.input, merged
        if merged.audio.input.format != before.format:
            core.decoder = decoder_of(merged.audio.input.format)
        if merged.audio.input.turn_detection != before.turn_detection:
            self._turns.step(Configured(rules_of(merged.audio.input.turn_detection)))
        core.out.send(SessionUpdated(session=self._session()))
        core.keeper.changed()
        self._note_update(sorted(patch.model_fields_set - {"type"}))

    def _note_update(self, names: list[str]) -> None:
        """For the audit trail: the first one is told at once, the others together when the socket closes."""
        core, identity = self._core, self._core.identity
        core.updates += 1
        core.updated |= dict.fromkeys(names)
        if core.updates == 1:
            facts = SessionFacts(identity.tenant, identity.session_id, "updated", holder=identity.holder, updates=1, updated=tuple(names))
            core.keeper.session(facts)

    async def _with_model(self, check: Callable[[ModelInfo | None], None]) -> None:
        """Raises Problem. What was not there when the session began may have come meanwhile."""
        core = self._core
        try:
            check(core.info)
        except Problem:
            core.info = await core.parts.inference.describe()
            check(core.info)

    async def _append(self, event: ask.InputAudioAppend) -> None:
        try:
            data = base64.b64decode(event.audio, validate=True)
        except (binascii.Error, ValueError):
            raise Problem(Code.INVALID_AUDIO, "audio is not base64", param="audio") from None
        await self._turns.append(data)

    async def _commit(self, event: ask.InputAudioCommit) -> None:
        self._turns.check_backlog(0)
        utterance = self._core.input.take_at_least(self._core.parts.new_id("item"))
        self._turns.step(InputTaken())
        self._turns.commit(utterance)

    async def _clear(self, event: ask.InputAudioClear) -> None:
        self._core.input.clear()
        self._core.voice_activity.reset()
        self._turns.step(InputTaken())
        self._core.out.send(Cleared())

    async def _create_item(self, event: ask.ItemCreate) -> None:
        core = self._core
        core.parts.conversations.check_room(core.identity.tenant, session=False)
        core.check_fixed_item(event.item)
        sounds = self._sounds(event)
        self._turns.check_backlog(sum(map(len, sounds.values())))
        item = item_of_wire(event.item, event.item.id or core.parts.new_id("item"))
        before = core.conversation.add(item, event.previous_item_id)
        core.out.send(ItemAdded(previous_item_id=before, item=item.wire()))
        for index, pcm16 in sounds.items():
            self._turns.transcribe_part(item, index, pcm16)
        item.sequence = core.out.send(ItemDone(previous_item_id=before, item=item.wire()))
        core.keeper.item_done(item)

    def _sounds(self, event: ask.ItemCreate) -> dict[int, bytes]:
        """Audio parts without a transcript, as 24 kHz PCM16."""
        if not isinstance(event.item, MessageItem):
            return {}
        wanted = [(i, part.audio) for i, part in enumerate(event.item.content) if part.type == "input_audio" and not part.transcript]
        try:
            decoder = decoder_of(self._core.config.audio.input.format)
            return {index: decoder.decode(base64.b64decode(audio or "", validate=True)) for index, audio in wanted}
        except (binascii.Error, ValueError):
            raise Problem(Code.INVALID_AUDIO, "audio is not base64 of the session's format", param="item.content") from None

    async def _retrieve(self, event: ask.ItemRetrieve) -> None:
        self._core.out.send(ItemRetrieved(item=self._core.conversation.get(event.item_id).wire()))

    async def _delete(self, event: ask.ItemDelete) -> None:
        self._core.conversation.remove(event.item_id)
        self._core.out.send(ItemDeleted(item_id=event.item_id))
        self._core.keeper.removed(event.item_id)

    async def _truncate(self, event: ask.ItemTruncate) -> None:
        core, item = self._core, self._core.conversation.get(event.item_id)
        if item.role != "assistant" or not item.parts or item.parts[0].type != "output_audio":
            raise Problem(Code.INVALID_VALUE, "only audio of the assistant's messages can be truncated", param="item_id")
        if event.content_index != 0:
            raise Problem(Code.INVALID_VALUE, "an item has one part of audio: content_index is 0", param="content_index")
        making = core.responses.owner_of(item)
        if making:  # it would grow again: who truncates what is being said wants it to stop
            core.responses.cancel(making.id)
        end_ms = item.cut(event.audio_end_ms)
        core.out.send(ItemTruncated(item_id=item.id, audio_end_ms=end_ms))
        if core.responses.stopped_playing(item, end_ms):
            self._turns.step(ResponseEnded())
        core.keeper.item_done(item)

    async def _respond(self, event: ask.ResponseCreate) -> None:
        options = event.response or ask.ResponseOptions()
        voice = options.audio.output.voice if options.audio and options.audio.output else None
        await self._with_model(lambda info: check_voice(voice, info))
        self._turns.answering.respond(options)

    async def _cancel(self, event: ask.ResponseCancel) -> None:
        self._core.responses.cancel(event.response_id)

    async def _playback(self, event: ask.Playback) -> None:
        self._core.responses.report(event.response_id, event.played_ms, event.state == "finished")

    def _session(self) -> dict[str, Any]:
        core = self._core
        body: dict[str, Any] = {"id": core.identity.session_id, "object": "realtime.session"} | session_body(core.config, core.info)
        if core.opted_in:
            body["a2"]["resume_handle"] = core.identity.session_id
        return body


def session_body(config: SessionConfig, info: ModelInfo | None) -> dict[str, Any]:
    """The settings as the wire has them; with what the model is, for those who opted in."""
    body = config.model_dump(mode="json")
    if config.a2 and config.a2.events and info:
        body["a2"]["model"] = {
            "revision": info.revision,
            "sample_rate_hz": info.sample_rate_hz,
            "audio_frame_hz": info.audio_frame_hz,
            "motion_hz": info.motion_hz,
            "rigs": list(info.rigs),
            "personas": [persona.name for persona in info.personas],
        }
    return body
