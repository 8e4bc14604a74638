"""How the parts of one session are joined: commands and audio input on top, below them the floor, below it utterances and responses.

Each part knows only those below it.
"""

from dataclasses import dataclass

from a2serve.gateway.hearing.input_audio import InputBuffer
from a2serve.gateway.hearing.listening import Ears
from a2serve.gateway.realtime.face.idle_face import IdleFace
from a2serve.gateway.realtime.session.audio_input import AudioInput
from a2serve.gateway.realtime.session.commands import SessionCommands
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.session.floor import Floor
from a2serve.gateway.realtime.session.response_maker import ResponseMaker
from a2serve.gateway.realtime.session.user_utterances import UserUtterances


@dataclass(frozen=True, slots=True)
class SessionParts:
    """Those that `Session` runs or asks."""

    commands: SessionCommands
    audio: AudioInput
    floor: Floor
    ears: Ears
    face: IdleFace


def assemble(core: SessionCore) -> SessionParts:
    """The parts of the session that `core` is of. Starts nothing."""
    inference, session_id = core.parts.inference, core.identity.session_id
    buffer = InputBuffer(core.parts.limits.max_input_ms)
    ears = Ears(inference, session_id, lambda: buffer.utterance, core.conversation.last_assistant_text)
    face = IdleFace(
        inference, core.out, session_id, extension=lambda: core.config.a2, input_ms=lambda: buffer.input_ms, now_ms=core.parts.now_ms
    )
    utterances = UserUtterances(core, buffer, ears)
    floor = Floor(core, utterances, ResponseMaker(core, utterances), face)
    audio = AudioInput(core, buffer, ears, utterances, floor)
    return SessionParts(SessionCommands(core, floor, audio, utterances), audio, floor, ears, face)
