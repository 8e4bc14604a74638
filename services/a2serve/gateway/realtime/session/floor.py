"""Decides whose turn it is: the user's, the avatar's, or nobody's. The one place where a response begins, is held, is cut and gives way.

The turn machine judges; `Floor` keeps its state and does what it says. Calls go down from here: to the user's utterances, to
the responses, to the face. Responses report back as to their `Listener`.
"""

import asyncio

from a2serve.contracts.a2_events import Duck, Unduck
from a2serve.contracts.client_events import ResponseOptions
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import ItemTruncated, StatusDetails
from a2serve.gateway.conversation.conversation import Item
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.realtime.face.idle_face import IdleFace
from a2serve.gateway.realtime.response.response import CLIENT_CANCELLED, TURN_DETECTED, Response
from a2serve.gateway.realtime.session.bookkeeping import book_response, keep_items, release_slot
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.session.response_maker import ResponseMaker, SpokenTurn
from a2serve.gateway.realtime.session.user_utterances import UserUtterances
from a2serve.gateway.realtime.turn import events as turn
from a2serve.gateway.realtime.turn.machine import Phase, TurnState, step
from a2serve.gateway.realtime.turn.rules import TurnRules, rules_of


class Floor:
    """The floor of one session. Its state changes by `on_turn_event`, by what the client asks, and by what responses report."""

    def __init__(self, core: SessionCore, utterances: UserUtterances, maker: ResponseMaker, face: IdleFace) -> None:
        self._core, self._utterances, self._maker, self._face = core, utterances, maker, face
        self._responses = core.responses
        self._state = TurnState(rules=rules_of(core.config.audio.input.turn_detection))
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ducked_id = ""  # the response that the client was asked to play softly
        self._closed = False

    @property
    def phase(self) -> Phase:
        """Phase of the turn: idle, listening, thinking, speaking or held."""
        return self._state.phase

    @property
    def rules(self) -> TurnRules:
        """How turns are found now."""
        return self._state.rules

    @property
    def user_is_announced(self) -> bool:
        """Whether the client knows of the utterance that is going on."""
        speech = self._state.speech
        return self._state.rules.off or (speech is not None and speech.announced)

    @property
    def avatar_is_heard(self) -> bool:
        """Whether the client's player may be playing a response of the conversation."""
        return bool(self._responses.playing)

    def on_turn_event(self, event: turn.TurnEvent) -> None:
        """One step of the turn machine, and what it wants done. Problems are told to the client."""
        self._state, actions = step(self._state, event, self._core.parts.now_ms())
        for action in actions:
            try:
                self._perform(action)
            except Problem as problem:
                self._core.error(problem)

    def tick(self) -> None:
        """Time passed: a hold may be over, and the last sound may have been played."""
        self.on_turn_event(turn.Tick())
        for response in self._responses.tails:
            response.pacer.played_ms()
            if response.pacer.clock.at_end:
                self._responses.silence(response)
                response.playback_over()
        self._tell_if_silent()

    def start_response(self, options: ResponseOptions, spoken: SpokenTurn | None = None, words: GivenStream | None = None) -> Response:
        """Begin a response. With `spoken` it answers that utterance, and is dropped when it held no words; with `words` it says those.

        Raises Problem: another response is in progress, or the options cannot be met.
        """
        settings = self._maker.settle_options(options)
        self._check_free(settings.in_conversation)
        response = self._maker.make_response(settings, options, spoken, self, words)
        response.writer.write_created()
        self._core.keeper.beat()
        self._responses.begin(response)
        if response.in_conversation:
            self.on_turn_event(turn.ResponseStarted())
            if self._state.held_since_ms is not None:
                response.pacer.hold()
        self._tasks[response.id] = self._core.start(response.run(), f"response {response.id}")
        return response

    def cancel_response(self, response_id: str | None) -> None:
        """The client cancels a response; without an id, the conversation's own. Raises Problem(response_cancel_not_active)."""
        response = self._responses.find(response_id)
        if response is None:
            raise Problem(Code.CANCEL_NOT_ACTIVE, "no such response is in progress", param="response_id" if response_id else None)
        self._cancel(response)

    def truncate_item(self, item: Item, audio_end_ms: int) -> None:
        """The client's player stopped there. A response that is still making the item ends."""
        own = self._responses.own
        if own and item in own.items:
            self._cancel(own)
        end_ms = item.cut(audio_end_ms)
        self._core.out.send(ItemTruncated(item_id=item.id, audio_end_ms=end_ms))
        for response in self._responses.tails:
            if item in response.items:
                self._responses.silence(response)
                response.cut_tail(end_ms)
        self._tell_if_silent()
        self._core.keeper.item_done(item)

    def note_playback(self, response_id: str, played_ms: int, *, finished: bool) -> None:
        """The client's player is there."""
        response = self._responses.of_player(response_id)
        if response:
            response.pacer.report(played_ms, finished=finished)

    def close(self, details: StatusDetails) -> None:
        """Ends what is in progress with these details; what was heard of it is kept."""
        self._closed = True
        own = self._responses.own
        if own:
            self._stop(own, details, own.pacer.played_ms())
            keep_items(self._core, own)
        for response in list(self._responses.beside.values()):
            self._stop(response, details, response.pacer.clock.sent_ms)
        for response in self._responses.tails:  # the client has all of it, and its player may go on
            self._responses.silence(response)
            response.playback_over()

    def response_sounded(self, response: Response, pcm16: bytes) -> None:
        """Hears as the response's listener that sound was sent."""
        self._core.echo.played(pcm16)
        if response.in_conversation and self._responses.sounded(response):
            self.on_turn_event(turn.ResponseSpeaking())

    def response_ended(self, response: Response) -> None:
        """Hears as the response's listener that it has ended, and books it."""
        core = self._core
        core.start_unless_closing(core.tell_rate_limits, f"rate limits {response.id}")
        book_response(core, response)
        self._tasks.pop(response.id, None)
        self._responses.finish(response)
        if response.in_conversation:
            self._own_ended(response)
        else:
            response.playback_over()
            core.start_unless_closing(lambda: release_slot(core, response), f"release {response.id}")

    def _own_ended(self, response: Response) -> None:
        if response.status != "completed" or not response.spoke:
            response.playback_over()
        for item in response.items:
            self._core.keeper.item_done(item)
        if response.status == "cancelled":  # its player stops
            self._responses.silence(response)
        self._tell_if_silent()

    def _tell_if_silent(self) -> None:
        """Nothing is being made for the conversation, and nothing of it is heard any more."""
        if self._state.response != "none" and not self._responses.own and not self._responses.playing:
            self.on_turn_event(turn.ResponseEnded())

    def _check_free(self, in_conversation: bool) -> None:
        """Raises Problem when another response is in the way."""
        responses, parallel = self._responses, self._core.parts.limits.parallel_responses
        if self._closed:
            raise Problem(Code.SESSION_EXPIRED, "the session is ending; no response can begin")
        if in_conversation and responses.own:
            detail = f"response {responses.own.id} is in progress; wait for response.done or cancel it"
            raise Problem(Code.RESPONSE_ACTIVE, detail)
        if not in_conversation and len(responses.beside) >= parallel:
            raise Problem(Code.RATE_LIMITED, f"at most {parallel} responses beside the conversation's own")

    def _perform(self, action: turn.TurnAction) -> None:
        match action:
            case turn.BeginUtterance(start_input_ms=start):
                self._utterances.begin_utterance(start)
            case turn.DropUtterance():
                self._utterances.drop_utterance()
            case turn.AnnounceSpeech(start_input_ms=start):
                self._utterances.announce_utterance(start)
            case turn.AskWords():
                self._utterances.ask_words()
                self._face.nod()
            case turn.Hold():
                self._hold()
            case turn.Resume():
                self._resume()
            case turn.Interrupt():
                self._interrupt()
            case turn.EndTurn():
                self._end_turn(action)
            case turn.IdleTimeout():
                self._utterances.commit_silence(action.start_input_ms, action.end_input_ms)
                self.start_response(ResponseOptions())

    def _end_turn(self, action: turn.EndTurn) -> None:
        utterance_id = self._utterances.end_utterance(action.end_input_ms)
        if action.respond:
            spoken = SpokenTurn(utterance_id, self._utterances.input_ms - action.end_input_ms)
            self.start_response(ResponseOptions(), spoken)

    def _hold(self) -> None:
        audible = self._responses.audible
        if self._responses.own:
            self._responses.own.pacer.hold()
        if audible and self._core.opted_in:
            self._ducked_id = audible.id
            self._core.out.send(Duck(response_id=audible.id))

    def _resume(self) -> None:
        if self._responses.own:
            self._responses.own.pacer.resume()
        if self._ducked_id:
            self._core.out.send(Unduck(response_id=self._ducked_id))
            self._ducked_id = ""

    def _interrupt(self) -> None:
        """Cuts every response that still plays: what the user did not hear was not said."""
        audible, own, self._ducked_id = self._responses.audible, self._responses.own, ""
        at_ms = audible.pacer.played_ms() if audible else 0.0
        for response in self._responses.tails:
            self._responses.silence(response)
            self._truncate_tail(response)
        if own:
            self._stop(own, TURN_DETECTED, own.pacer.played_ms())
            keep_items(self._core, own)
        if audible and (pose_f16 := audible.pose_at(at_ms)):
            self._face.return_from(pose_f16)

    def _truncate_tail(self, response: Response) -> None:
        item = next((item for item in reversed(response.items) if item.audio_ms), None)
        if item:
            end_ms = item.cut(response.pacer.played_ms())
            response.cut_tail(end_ms)
            self._core.out.send(ItemTruncated(item_id=item.id, audio_end_ms=end_ms))
            keep_items(self._core, response)

    def _cancel(self, response: Response) -> None:
        """Cuts the response. Kept is what was heard, if the client reports it; else what was sent (a truncate will follow)."""
        clock = response.pacer.clock
        self._stop(response, CLIENT_CANCELLED, response.pacer.played_ms() if clock.reported else clock.sent_ms)

    def _stop(self, response: Response, details: StatusDetails, at_ms: float) -> None:
        task = self._tasks.get(response.id)
        response.cut(details, at_ms)
        if task:
            task.cancel()
