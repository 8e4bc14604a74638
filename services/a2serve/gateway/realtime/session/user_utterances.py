"""Handles the user's utterances: announces them, commits them as items of the conversation, has them transcribed."""

import asyncio

from a2llm.messages import ListenResult
from a2serve.contracts.a2_events import AffectEvent
from a2serve.contracts.media_clock import BYTES_PER_MS
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import (
    Committed,
    ItemAdded,
    ItemDone,
    SpeechStarted,
    SpeechStopped,
    TimeoutTriggered,
    TranscriptionCompleted,
    TranscriptionDelta,
    TranscriptionError,
    TranscriptionFailed,
    TranscriptionUsage,
)
from a2serve.gateway.conversation.conversation import Item, Part
from a2serve.gateway.hearing.input_audio import InputBuffer, Utterance
from a2serve.gateway.hearing.listening import Ears
from a2serve.gateway.hearing.nothing_heard import holds_words
from a2serve.gateway.realtime.session.core import SessionCore


class UserUtterances:
    """The utterances of one session. Decides nothing: when one begins and ends is said by the floor, or by the client."""

    def __init__(self, core: SessionCore, audio: InputBuffer, ears: Ears) -> None:
        self._core, self._audio, self._ears = core, audio, ears
        self._transcribing: dict[str, asyncio.Task[Problem | None]] = {}
        self._listened = set[str]()  # ids of items whose sound was transcribed
        self._waiting_bytes = 0  # of sound that waits for its words

    @property
    def input_ms(self) -> int:
        """Time on the input clock: audio that the user sent."""
        return self._audio.input_ms

    def begin_utterance(self, start_input_ms: int) -> None:
        """Keep the input from here on."""
        self._audio.begin(self._core.parts.new_id("item"), start_input_ms)

    def drop_utterance(self) -> None:
        """Drops an utterance that was no speech."""
        self._audio.take()

    def announce_utterance(self, start_input_ms: int) -> None:
        """Sends the event speech_started."""
        assert self._audio.utterance
        self._core.out.send(SpeechStarted(audio_start_ms=start_input_ms, item_id=self._audio.utterance.id))

    def ask_words(self) -> None:
        """A pause: words are wanted now."""
        self._ears.ask_words()

    def end_utterance(self, end_input_ms: int) -> str:
        """Sends speech_stopped; the utterance becomes an item, whose id is returned. Raises Problem (conversation_full)."""
        utterance = self._audio.take()
        assert utterance
        self._core.out.send(SpeechStopped(audio_end_ms=end_input_ms, item_id=utterance.id))
        self.commit_utterance(utterance)
        return utterance.id

    def commit_silence(self, start_input_ms: int, end_input_ms: int) -> None:
        """The user was silent for long: an item without words. Raises Problem (conversation_full)."""
        item_id = self._core.parts.new_id("item")
        self._core.out.send(TimeoutTriggered(audio_start_ms=start_input_ms, audio_end_ms=end_input_ms, item_id=item_id))
        item = self._add_user_item(item_id)
        item.parts[0].text = ""

    def commit_utterance(self, utterance: Utterance) -> None:
        """The utterance becomes an item; its words follow. Raises Problem (conversation_full)."""
        item = self._add_user_item(utterance.id)
        self._transcribe_later(item, 0, utterance)

    def transcribe_part(self, item: Item, index: int, pcm16: bytes) -> None:
        """Audio that came inside a created item."""
        self._transcribe_later(item, index, Utterance(f"{item.id}.{index}", 0, bytearray(pcm16)))

    def check_backlog(self, more_bytes: int) -> None:
        """Raises Problem (input_audio_buffer_full): with so much more, too much sound waits in memory for its words."""
        limits = self._core.parts.limits
        if self._waiting_bytes + more_bytes > limits.max_input_ms * BYTES_PER_MS:
            raise Problem(Code.INPUT_BUFFER_FULL, f"more than {limits.max_input_ms // 1000} s of sound would wait for their words")

    def caption(self, utterance: Utterance, transcript: str, stable_chars: int) -> None:
        """Sends the words that are certain by now, if the client wants them."""
        delta = utterance.caption.delta(transcript, stable_chars)
        if delta and self._core.config.audio.input.transcription:
            self._core.out.send(TranscriptionDelta(item_id=utterance.id, delta=delta))

    async def words_known(self) -> None:
        """Wait for the words of all that is committed. Raises Problem where they cannot be had."""
        pending = list(self._transcribing.values())
        if pending:
            await asyncio.wait(pending)
        for task in pending:
            problem = task.result()
            if problem:
                raise problem

    def holds_words(self, item_id: str) -> bool:
        """Whether the item is there and has words."""
        return any(item.id == item_id and holds_words(item.transcript()) for item in self._core.conversation.items)

    def heard_nothing(self) -> bool:
        """Whether a response would answer sound without words: the user has said nothing else since the avatar, and no function has."""
        silent = 0
        for item in reversed(self._core.conversation.items):
            if item.type == "message" and item.role == "system":
                continue
            if item.type != "message" or item.role != "user":
                return silent > 0 and item.type != "function_call_output"
            if item.id not in self._listened or holds_words(item.transcript()):
                return False
            silent += 1
        return silent > 0

    def _add_user_item(self, item_id: str) -> Item:
        core = self._core
        item = Item(item_id, role="user", parts=[Part("input_audio", None)])
        before = core.conversation.add(item)
        core.out.send(Committed(previous_item_id=before, item_id=item_id))
        core.out.send(ItemAdded(previous_item_id=before, item=item.wire()))
        item.sequence = core.out.send(ItemDone(previous_item_id=before, item=item.wire()))
        core.keeper.item_done(item)  # its words come later, and it is written again
        return item

    def _transcribe_later(self, item: Item, index: int, utterance: Utterance) -> None:
        size = len(utterance.pcm16)
        self._core.tally.audio_committed(utterance.duration_ms)
        self._waiting_bytes += size
        task = self._core.start(self._transcribe(item, index, utterance), f"transcribe {item.id}")
        self._transcribing[utterance.id] = task

        def transcribed(_: asyncio.Task[Problem | None]) -> None:
            self._waiting_bytes -= size
            self._transcribing.pop(utterance.id, None)

        task.add_done_callback(transcribed)

    async def _transcribe(self, item: Item, index: int, utterance: Utterance) -> Problem | None:
        """Transcribes an item. A problem is reported and returned, so that the response can fail with it."""
        core = self._core
        try:
            heard = await self._ears.finish(utterance)
        except Problem as problem:
            error = TranscriptionError(type=problem.meaning.kind, code=problem.code, message=problem.detail)
            core.out.send(TranscriptionFailed(item_id=item.id, content_index=index, error=error))
            core.keeper.item_done(item)
            return problem
        self._listened.add(item.id)
        item.parts[index].text, item.voice_affect = heard.transcript, heard.affect
        self._tell_words(item, index, utterance, heard)
        core.keeper.item_done(item)
        return None

    def _tell_words(self, item: Item, index: int, utterance: Utterance, heard: ListenResult) -> None:
        core = self._core
        if core.config.audio.input.transcription:
            self.caption(utterance, heard.transcript, len(heard.transcript))
            usage = TranscriptionUsage(seconds=utterance.duration_ms / 1000)
            done = TranscriptionCompleted(item_id=item.id, content_index=index, transcript=heard.transcript, usage=usage)
            core.out.send(done)
        if core.opted_in and heard.affect:
            event = AffectEvent(
                whose="user",
                item_id=item.id,
                category=heard.affect.category,
                intensity=heard.affect.intensity,
                valence=heard.valence,
                arousal=heard.arousal,
                confidence=heard.affect_confidence,
            )
            core.out.send(event)
