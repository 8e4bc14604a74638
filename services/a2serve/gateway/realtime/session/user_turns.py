"""What the user's voice does: windows to the turn machine, its actions back to events, utterances to items and words."""

import asyncio

from a2serve.contracts.a2_events import AffectEvent, Duck, Unduck
from a2serve.contracts.client_events import ResponseOptions
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
from a2serve.gateway.hearing.input_audio import BYTES_PER_MS, Utterance, Window
from a2serve.gateway.hearing.listening import Ears
from a2serve.gateway.model_client.interface import Heard
from a2serve.gateway.realtime.face.idle_face import Face
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.session.response_lifecycle import Answering
from a2serve.gateway.realtime.turn import events as turn
from a2serve.gateway.realtime.turn import machine

WINDOWS_AT_ONCE = 32  # then others get the loop: one second of input costs about 10 ms


class SessionTurns:
    """Joins ears, turn machine, answers and face of one session."""

    def __init__(self, core: SessionCore) -> None:
        self._core = core
        identity, parts = core.identity, core.parts
        self.answering = Answering(core, self.step)
        said_before = core.conversation.last_assistant_text
        self.ears = Ears(parts.inference, identity.session_id, lambda: core.input.utterance, self._on_heard, said_before)
        self.face = Face(
            parts.inference,
            core.out,
            identity.session_id,
            extension=lambda: core.config.a2,
            phase=lambda: core.turn_state.phase,
            input_ms=lambda: core.input.input_ms,
            now_ms=parts.now_ms,
        )

    async def append(self, data: bytes) -> None:
        """Input audio in the client's format. Raises Problem (invalid_audio, input_audio_buffer_full)."""
        pcm16 = self._core.decoder.decode(data)
        for count, window in enumerate(self._core.input.append(pcm16), 1):
            self._hear(window)
            if count % WINDOWS_AT_ONCE == 0:
                self.ears.audio_arrived()
                await asyncio.sleep(0)
        self.ears.audio_arrived()

    def check_backlog(self, more_bytes: int) -> None:
        """Raises Problem (input_audio_buffer_full): with so much more, too much sound waits in memory for its words."""
        limits = self._core.parts.limits
        if self._core.unheard_bytes + more_bytes > limits.max_input_ms * BYTES_PER_MS:
            raise Problem(Code.INPUT_BUFFER_FULL, f"more than {limits.max_input_ms // 1000} s of sound would wait for their words")

    def step(self, event: turn.TurnEvent) -> None:
        """One step of the turn machine, and what it wants done."""
        core = self._core
        core.turn_state, actions = machine.step(core.turn_state, event, core.parts.now_ms())
        for action in actions:
            try:
                self._perform(action)
            except Problem as problem:
                core.error(problem)

    def commit(self, utterance: Utterance) -> None:
        """The utterance becomes an item; its words follow. Raises Problem (conversation_full)."""
        item = self._add_user_item(utterance.id)
        self._transcribe_later(item, 0, utterance)

    def transcribe_part(self, item: Item, index: int, pcm16: bytes) -> None:
        """Audio that came inside a created item."""
        self._transcribe_later(item, index, Utterance(f"{item.id}.{index}", 0, bytearray(pcm16)))

    def _hear(self, window: Window) -> None:
        core = self._core
        if core.turn_state.rules.off:
            if core.input.utterance is None:
                core.input.begin(core.parts.new_id("item"), window.start_input_ms)
            return
        core.echo.recorded(window.pcm16)
        probability = core.voice_activity.probability(window.pcm16)
        # Asked only when it matters: while we are heard and there seems to be a voice.
        if core.responses.audible and probability >= core.turn_state.rules.threshold and core.echo.is_echo:
            probability = 0.0
        self.step(turn.Voice(probability, window.start_input_ms, window.end_input_ms))

    def _on_heard(self, utterance: Utterance, heard: Heard, until_input_ms: int) -> None:
        core = self._core
        self.step(turn.Words(heard.transcript, until_input_ms, heard.turn_end_probability))
        speech = core.turn_state.speech
        announced = core.turn_state.rules.off or (speech is not None and speech.announced)
        if core.input.utterance is utterance and announced:
            self._caption(utterance, heard.transcript, heard.stable_chars)

    def _caption(self, utterance: Utterance, transcript: str, stable_chars: int) -> None:
        delta = utterance.caption.delta(transcript, stable_chars)
        if delta and self._core.config.audio.input.transcription:
            self._core.out.send(TranscriptionDelta(item_id=utterance.id, delta=delta))

    def _perform(self, action: turn.TurnAction) -> None:
        core = self._core
        match action:
            case turn.BeginUtterance(start_input_ms=start):
                core.input.begin(core.parts.new_id("item"), start)
            case turn.DropUtterance():
                core.input.take()
            case turn.AnnounceSpeech(start_input_ms=start):
                assert core.input.utterance
                core.out.send(SpeechStarted(audio_start_ms=start, item_id=core.input.utterance.id))
            case turn.AskWords():
                self.ears.ask_words()
                self.face.nod()
            case turn.Hold():
                self._duck(core.responses.hold(), Duck)
            case turn.Resume():
                self._duck(core.responses.resume(), Unduck)
            case turn.Interrupt():
                self._interrupt()
            case turn.EndTurn():
                self._end_turn(action)
            case turn.IdleTimeout():
                self._idle_timeout(action)

    def _duck(self, response: object, kind: type[Duck] | type[Unduck]) -> None:
        response_id = getattr(response, "id", None)
        if response_id and self._core.opted_in:
            self._core.out.send(kind(response_id=response_id))

    def _interrupt(self) -> None:
        response, at_ms = self._core.responses.interrupt()
        if response and response.writer.motion_track:
            self.face.return_from(response.writer.motion_track.pose_at(at_ms))
        self._core.keep_items(response)

    def _end_turn(self, action: turn.EndTurn) -> None:
        core = self._core
        utterance = core.input.take()
        assert utterance
        core.out.send(SpeechStopped(audio_end_ms=action.end_input_ms, item_id=utterance.id))
        self.commit(utterance)
        if action.respond:
            waited_ms = core.input.input_ms - action.end_input_ms
            self.answering.respond(ResponseOptions(), utterance_id=utterance.id, endpointing_ms=waited_ms)

    def _idle_timeout(self, action: turn.IdleTimeout) -> None:
        item_id = self._core.parts.new_id("item")
        start, end = action.start_input_ms, action.end_input_ms
        self._core.out.send(TimeoutTriggered(audio_start_ms=start, audio_end_ms=end, item_id=item_id))
        item = self._add_user_item(item_id)
        item.parts[0].text = ""
        self.answering.respond(ResponseOptions())

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
        core = self._core
        core.unbilled_audio_ms += utterance.duration_ms
        size = len(utterance.pcm16)
        core.unheard_bytes += size
        task = core.tasks.create_task(self._transcribe(item, index, utterance), name=f"transcribe {item.id}")
        core.transcribing[utterance.id] = task

        def heard(_: asyncio.Task[Problem | None]) -> None:
            core.unheard_bytes -= size
            core.transcribing.pop(utterance.id, None)

        task.add_done_callback(heard)

    async def _transcribe(self, item: Item, index: int, utterance: Utterance) -> Problem | None:
        """The final words of an item; a problem is told and returned, so that the answer can fail with it."""
        core = self._core
        try:
            heard = await self.ears.finish(utterance)
        except Problem as problem:
            error = TranscriptionError(type=problem.meaning.kind, code=problem.code, message=problem.detail)
            core.out.send(TranscriptionFailed(item_id=item.id, content_index=index, error=error))
            core.keeper.item_done(item)
            return problem
        item.parts[index].text, item.voice_affect = heard.transcript, heard.affect
        self._tell_words(item, index, utterance, heard)
        core.keeper.item_done(item)
        return None

    def _tell_words(self, item: Item, index: int, utterance: Utterance, heard: Heard) -> None:
        core = self._core
        if core.config.audio.input.transcription:
            self._caption(utterance, heard.transcript, len(heard.transcript))
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
