"""The microphone's way in: the client's audio to windows, to the probability of a voice, to the floor."""

import asyncio

from a2llm.messages import ListenResult
from a2serve.contracts.session_config import AudioFormat
from a2serve.gateway.hearing.audio_formats import decoder_of
from a2serve.gateway.hearing.input_audio import InputBuffer, Utterance, Window
from a2serve.gateway.hearing.listening import Ears
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.session.floor import Floor
from a2serve.gateway.realtime.session.user_utterances import UserUtterances
from a2serve.gateway.realtime.turn.events import InputTaken, Voice, Words

WINDOWS_AT_ONCE = 32  # then others get the loop: one second of input costs about 10 ms


class AudioInput:
    """The input audio buffer of one session as the client and the ears fill it."""

    def __init__(self, core: SessionCore, buffer: InputBuffer, ears: Ears, utterances: UserUtterances, floor: Floor) -> None:
        self._core, self._buffer, self._ears, self._utterances, self._floor = core, buffer, ears, utterances, floor
        self._decoder = decoder_of(core.config.audio.input.format)
        self._voice_activity = core.parts.new_ears()

    def set_format(self, audio_format: AudioFormat) -> None:
        """Decodes what comes from now on in this format."""
        self._decoder = decoder_of(audio_format)

    async def take_audio(self, data: bytes) -> None:
        """Input audio in the client's format. Raises Problem (invalid_audio, input_audio_buffer_full)."""
        pcm16 = self._decoder.decode(data)
        for count, window in enumerate(self._buffer.append(pcm16), 1):
            self._take_window(window)
            if count % WINDOWS_AT_ONCE == 0:
                self._ears.audio_arrived()
                await asyncio.sleep(0)
        self._ears.audio_arrived()

    def commit_input(self) -> None:
        """The client commits the buffer. Raises Problem (input_audio_buffer_commit_empty, input_audio_buffer_full, conversation_full)."""
        self._utterances.check_backlog(0)
        utterance = self._buffer.take_at_least(self._core.parts.new_id("item"))
        self._floor.on_turn_event(InputTaken())
        self._utterances.commit_utterance(utterance)

    def clear_input(self) -> None:
        """The client clears the buffer: forget what was not committed."""
        self._buffer.clear()
        self._voice_activity.reset()
        self._floor.on_turn_event(InputTaken())

    def take_words(self, utterance: Utterance, heard: ListenResult, until_input_ms: int) -> None:
        """The running transcript of the current utterance, as the ears have it."""
        self._floor.on_turn_event(Words(heard.transcript, until_input_ms, heard.turn_end_probability))
        if self._buffer.utterance is utterance and self._floor.user_is_announced:
            self._utterances.caption(utterance, heard.transcript, heard.stable_chars)

    def _take_window(self, window: Window) -> None:
        rules = self._floor.rules
        if rules.off:
            if self._buffer.utterance is None:
                self._utterances.begin_utterance(window.start_input_ms)
            return
        echo = self._core.echo
        echo.recorded(window.pcm16)
        probability = self._voice_activity.probability(window.pcm16)
        # Asked only when it matters: while we are heard and there seems to be a voice.
        if self._floor.avatar_is_heard and probability >= rules.threshold and echo.is_echo:
            probability = 0.0
        self._floor.on_turn_event(Voice(probability, window.start_input_ms, window.end_input_ms))
