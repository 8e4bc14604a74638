"""Makes responses from the session's settings and the client's options, with what they wait for. Starts none."""

from dataclasses import dataclass, replace

from a2llm.messages import GivenWords, ResponseRequest
from a2serve.contracts.client_events import ResponseOptions
from a2serve.contracts.media_clock import AUDIO_FRAME_HZ
from a2serve.gateway.conversation.conversation import Item
from a2serve.gateway.hearing.nothing_heard import ask_again
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.realtime.response.pacing import Pacer
from a2serve.gateway.realtime.response.response import Listener, Response, ResponseTimes
from a2serve.gateway.realtime.response.settings import ResponseSettings, answered_with, items_of_input, prompt_for, request_of, settle
from a2serve.gateway.realtime.response.turn_trace import TRACEPARENT_KEY, TurnTrace
from a2serve.gateway.realtime.response.writer import ResponseWriter
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.session.user_utterances import UserUtterances
from a2serve.telemetry import names


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """The utterance that a response answers, and how long it took until the turn was called over."""

    utterance_id: str
    endpointing_ms: float


@dataclass(slots=True)
class PreparedRequest:
    """A `Preparation`: counts the response for its tenant, waits for the user's words, then reads the conversation.

    With `utterance_id`, that utterance is answered, or nothing where it held no words. A response that the client asks for to sound
    without words says that nothing was heard.
    """

    core: SessionCore
    utterances: UserUtterances
    settings: ResponseSettings
    options: ResponseOptions
    given: list[Item]
    response_id: str
    utterance_id: str | None
    counted: bool = False

    async def request(self) -> ResponseRequest | None:
        identity = self.core.identity
        if identity.allowance:
            await identity.allowance.take()
        self.counted = True
        await self.utterances.words_known()
        if self.utterance_id and not self.utterances.holds_words(self.utterance_id):
            return None
        prompt = prompt_for(self.options, self.core.conversation, self.given)
        request = request_of(self.settings, prompt, session_id=identity.session_id, response_id=self.response_id, tenant=identity.tenant)
        return self._asking_again(request) if self.options.input is None and self.utterances.heard_nothing() else request

    def _asking_again(self, request: ResponseRequest) -> ResponseRequest:
        words = GivenWords(ask_again(self.core.conversation.last_assistant_text(), self.response_id), over=True)
        return replace(request, options=replace(request.options, given=words))


class ResponseMaker:
    """Makes the responses of one session."""

    def __init__(self, core: SessionCore, utterances: UserUtterances) -> None:
        self._core, self._utterances = core, utterances

    def settle_options(self, options: ResponseOptions) -> ResponseSettings:
        """Settles a response's settings. Raises Problem if the options cannot be met or are not the client's to choose."""
        asked = answered_with(self._core.config, options)
        self._core.check_fixed(asked, "response")
        for item in options.input or ():
            self._core.check_fixed_item(item)
        return settle(asked, options)

    def make_response(
        self,
        settings: ResponseSettings,
        options: ResponseOptions,
        spoken: SpokenTurn | None,
        listener: Listener,
        words: GivenStream | None = None,
    ) -> Response:
        """A response that has the user's committed audio on its bill. Raises Problem for input that is not there."""
        core, parts = self._core, self._core.parts
        given = items_of_input(options, core.conversation, parts.new_id)
        response_id, utterance_id = parts.new_id("resp"), spoken.utterance_id if spoken else None
        times = ResponseTimes(parts.now_ms(), spoken.endpointing_ms if spoken else 0.0)
        trace = self._trace(response_id, utterance_id, times.endpointing_ms)
        if settings.events and trace.traceparent:
            settings = replace(settings, metadata=(settings.metadata or {}) | {TRACEPARENT_KEY: trace.traceparent})
        return Response(
            self._writer(response_id, settings),
            self._pacer(settings),
            core.out,
            parts.inference,
            preparation=PreparedRequest(core, self._utterances, settings, options, given, response_id, utterance_id),
            listener=listener,
            now_ms=parts.now_ms,
            trace=trace,
            times=times,
            words=words,
            input_audio_ms=core.tally.bill_audio() if settings.in_conversation else 0,
        )

    def _trace(self, response_id: str, utterance_id: str | None, endpointing_ms: float) -> TurnTrace:
        core = self._core
        attributes = core.trace.attributes | {names.ATTR_RESPONSE_ID: response_id}
        if utterance_id:
            attributes[names.ATTR_UTTERANCE_ID] = utterance_id
        return TurnTrace(core.parts.tracer, attributes, endpointing_ms, core.trace.links)

    def _writer(self, response_id: str, settings: ResponseSettings) -> ResponseWriter:
        core, info = self._core, self._core.info
        return ResponseWriter(
            core.out,
            settings,
            response_id,
            conversation=core.conversation if settings.in_conversation else None,
            conversation_id=core.conversation_id,
            new_id=core.parts.new_id,
            rig_names=info.rigs.get(settings.motion.rig, ()) if info and settings.motion else (),
            audio_frame_hz=info.audio_frames_per_s if info else AUDIO_FRAME_HZ,
        )

    def _pacer(self, settings: ResponseSettings) -> Pacer:
        """Makes a pacer that counts on the player to begin once the sound before has been heard."""
        parts = self._core.parts
        not_before_ms = parts.now_ms() + self._core.responses.remaining_ms()
        return Pacer(parts.now_ms, lead_ms=parts.limits.lead_ms, burst=settings.burst, not_before_ms=not_before_ms)
