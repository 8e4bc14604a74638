"""Handles the client's events, one method for each. Problems go back as `error` events; the socket stays open."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any

from a2llm.messages import ModelInfo
from a2serve.contracts import client_events as ask
from a2serve.contracts.items import MessageItem
from a2serve.contracts.packets import MediaPacket, PacketKind
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import (
    Cleared,
    ItemAdded,
    ItemDeleted,
    ItemDone,
    ItemRetrieved,
    ResponseBody,
    ResponseDone,
    SessionCreated,
    SessionUpdated,
)
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.conversation.conversation import item_of_wire
from a2serve.gateway.hearing.audio_formats import decoder_of
from a2serve.gateway.realtime.response.settings import check_extension, check_tools, check_voice
from a2serve.gateway.realtime.session.appends import Appends
from a2serve.gateway.realtime.session.audio_input import AudioInput
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.session.floor import Floor
from a2serve.gateway.realtime.session.user_utterances import UserUtterances
from a2serve.gateway.realtime.transport.transport import Incoming
from a2serve.gateway.realtime.turn.events import Configured
from a2serve.gateway.realtime.turn.rules import rules_of
from a2serve.gateway.state.facts import SessionFacts


class SessionCommands:
    """Does what the client's events say."""

    def __init__(self, core: SessionCore, floor: Floor, audio: AudioInput, utterances: UserUtterances) -> None:
        self._core, self._floor, self._audio, self._utterances = core, floor, audio, utterances
        self._appends = Appends(core, floor)
        self._do: dict[type, Callable[[Any], Awaitable[None]]] = {
            ask.SessionUpdate: self._update_session,
            ask.InputAudioAppend: self._append_audio,
            ask.InputAudioCommit: self._commit_input,
            ask.InputAudioClear: self._clear_input,
            ask.ItemCreate: self._create_item,
            ask.ItemRetrieve: self._retrieve_item,
            ask.ItemDelete: self._delete_item,
            ask.ItemTruncate: self._truncate_item,
            ask.ResponseCreate: self._create_response,
            ask.ResponseCancel: self._cancel_response,
            ask.Playback: self._note_playback,
            ask.Append: self._append,
            MediaPacket: self._take_packet,
        }

    async def take(self, event: Incoming) -> None:
        """One event of the client. Never raises for what the client did."""
        try:
            await self._do[type(event)](event)
        except Problem as problem:
            self._core.error(problem, None if isinstance(event, MediaPacket) else event.event_id)

    def refuse(self, problem: Problem) -> None:
        """Reports that the client sent something that is no event."""
        self._core.error(_binary_off() if problem.code == Code.INVALID_PACKET and not self._binary else problem)

    async def greet(self) -> None:
        """session.created; to a returning client also the items it has not seen, no faster than it reads."""
        core = self._core
        core.out.send(SessionCreated(session=self._session()))
        if core.identity.resumed_after:
            before = None
            for item in list(core.conversation.items):
                if item.sequence > core.identity.resumed_after:
                    await core.out.space()
                    core.out.send(ItemAdded(previous_item_id=before, item=item.wire()))
                    item.sequence = core.out.send(ItemDone(previous_item_id=before, item=item.wire()))
                    core.keeper.item_done(item)
                before = item.id
        for body in core.lost:
            core.out.send(ResponseDone(response=ResponseBody.model_validate(body)))

    @property
    def _binary(self) -> bool:
        return bool(self._core.config.a2 and self._core.config.a2.binary)

    async def _take_packet(self, packet: MediaPacket) -> None:
        if not self._binary:
            raise _binary_off()
        if packet.kind is not PacketKind.INPUT_AUDIO:
            raise Problem(Code.INVALID_PACKET, "clients send input audio only")
        await self._audio.take_audio(packet.payload)

    async def _update_session(self, event: ask.SessionUpdate) -> None:
        core, patch = self._core, event.session
        merged = core.config.merged_with(patch)
        core.check_fixed(merged, "session")
        check_tools(merged.tools, merged.tool_choice)
        await self._with_model(lambda info: check_extension(merged, info))
        await self._with_model(lambda info: check_voice(patch.audio.output.voice, info))
        before, after = core.config.audio.input, merged.audio.input
        core.configure(merged)
        if after.format != before.format:
            self._audio.set_format(after.format)
        if after.turn_detection != before.turn_detection:
            self._floor.on_turn_event(Configured(rules_of(after.turn_detection)))
        core.out.send(SessionUpdated(session=self._session()))
        core.keeper.changed()
        self._note_update(sorted(patch.model_fields_set - {"type"}))

    def _note_update(self, names: list[str]) -> None:
        """Notes a change for the audit trail: the first one is recorded at once, the others together when the socket closes."""
        core, identity = self._core, self._core.identity
        core.tally.settings_changed(names)
        if core.tally.updates == 1:
            facts = SessionFacts(identity.tenant, identity.session_id, "updated", holder=identity.holder, updates=1, updated=tuple(names))
            core.keeper.session(facts)

    async def _with_model(self, check: Callable[[ModelInfo | None], None]) -> None:
        """Raises Problem if the model cannot be reached; it may have come since the session began."""
        core = self._core
        try:
            check(core.info)
        except Problem:
            check(await core.ask_model())

    async def _append_audio(self, event: ask.InputAudioAppend) -> None:
        await self._audio.take_audio(event.audio)

    async def _commit_input(self, event: ask.InputAudioCommit) -> None:
        self._audio.commit_input()

    async def _clear_input(self, event: ask.InputAudioClear) -> None:
        self._audio.clear_input()
        self._core.out.send(Cleared())

    async def _create_item(self, event: ask.ItemCreate) -> None:
        core = self._core
        core.parts.conversations.check_capacity(core.identity.tenant, session=False)
        core.check_fixed_item(event.item)
        sounds = self._sounds(event)
        self._utterances.check_backlog(sum(map(len, sounds.values())))
        item = item_of_wire(event.item, event.item.id or core.parts.new_id("item"))
        before = core.conversation.add(item, event.previous_item_id)
        core.out.send(ItemAdded(previous_item_id=before, item=item.wire()))
        for index, pcm16 in sounds.items():
            self._utterances.transcribe_part(item, index, pcm16)
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

    async def _retrieve_item(self, event: ask.ItemRetrieve) -> None:
        self._core.out.send(ItemRetrieved(item=self._core.conversation.get(event.item_id).wire()))

    async def _delete_item(self, event: ask.ItemDelete) -> None:
        self._core.conversation.remove(event.item_id)
        self._core.out.send(ItemDeleted(item_id=event.item_id))
        self._core.keeper.removed(event.item_id)

    async def _truncate_item(self, event: ask.ItemTruncate) -> None:
        item = self._core.conversation.get(event.item_id)
        if item.role != "assistant" or not item.parts or item.parts[0].type != "output_audio":
            raise Problem(Code.INVALID_VALUE, "only audio of the assistant's messages can be truncated", param="item_id")
        if event.content_index != 0:
            raise Problem(Code.INVALID_VALUE, "an item has one part of audio: content_index is 0", param="content_index")
        self._floor.truncate_item(item, event.audio_end_ms)

    async def _create_response(self, event: ask.ResponseCreate) -> None:
        options = event.response or ask.ResponseOptions()
        voice = options.audio.output.voice if options.audio and options.audio.output else None
        await self._with_model(lambda info: check_voice(voice, info))
        self._floor.start_response(options)

    async def _cancel_response(self, event: ask.ResponseCancel) -> None:
        self._floor.cancel_response(event.response_id)

    async def _note_playback(self, event: ask.Playback) -> None:
        self._floor.note_playback(event.response_id, event.played_ms, finished=event.state == "finished")

    async def _append(self, event: ask.Append) -> None:
        self._appends.take(event)

    def _session(self) -> dict[str, Any]:
        core = self._core
        body: dict[str, Any] = {"id": core.identity.session_id, "object": "realtime.session"} | session_body(core.config, core.info)
        if core.opted_in:
            body["a2"]["resume_handle"] = core.identity.session_id
        return body


def _binary_off() -> Problem:
    return Problem(Code.UNSUPPORTED, "binary frames are off: turn them on with session.a2.binary")


def session_body(config: SessionConfig, info: ModelInfo | None) -> dict[str, Any]:
    """The settings as the wire has them; with the model's description, for clients that opted in."""
    body = config.model_dump(mode="json")
    if config.a2 and config.a2.events and info:
        body["a2"]["model"] = {
            "revision": info.revision,
            "sample_rate_hz": info.sample_rate_hz,
            "audio_frame_hz": info.audio_frames_per_s,
            "motion_hz": info.motion_hz,
            "rigs": list(info.rigs),
            "personas": [persona.name for persona in info.personas],
        }
    return body
