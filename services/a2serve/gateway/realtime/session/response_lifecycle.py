"""Answers: makes responses from the session's settings, waits for the user's words, follows each to what was heard."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from a2serve.contracts.client_events import ResponseOptions
from a2serve.contracts.problems import Problem
from a2serve.gateway.model_client.interface import ResponseRequest
from a2serve.gateway.realtime.response.pacing import Pacer
from a2serve.gateway.realtime.response.response import Response, ResponseTimes
from a2serve.gateway.realtime.response.settings import ResponseSettings, answered_with, items_of_input, prompt_for, request_of, settle
from a2serve.gateway.realtime.response.turn_trace import TRACEPARENT_KEY, TurnTrace
from a2serve.gateway.realtime.response.writer import ResponseWriter
from a2serve.gateway.realtime.session.checkpoints import turn_facts
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.turn.events import ResponseEnded, ResponseSpeaking, ResponseStarted, TurnEvent
from a2serve.telemetry import names

Prepare: TypeAlias = Callable[[], Awaitable[ResponseRequest | None]]


class Answering:
    """`on_turn` takes the events of the response to the turn machine."""

    def __init__(self, core: SessionCore, on_turn: Callable[[TurnEvent], None]) -> None:
        self._core, self._on_turn = core, on_turn

    def respond(self, options: ResponseOptions, *, utterance_id: str | None = None, endpointing_ms: float = 0.0) -> None:
        """Begin a response. With `utterance_id` it answers that speech, and is dropped when it held no words.

        Raises Problem: another response is in progress, or the options cannot be met.
        """
        core = self._core
        asked = answered_with(core.config, options)
        core.check_fixed(asked, "response")
        for item in options.input or ():
            core.check_fixed_item(item)
        settings = settle(asked, options)
        core.responses.check_free(settings.in_conversation)
        given = items_of_input(options, core.conversation, core.parts.new_id)
        response_id = core.parts.new_id("resp")

        async def prepare() -> ResponseRequest | None:
            if core.identity.allowance:
                await core.identity.allowance.take()
            response.counted = True
            await self._words_are_known()
            if utterance_id and not _holds_words(core, utterance_id):
                return None
            prompt = prompt_for(options, core.conversation, given)
            identity = core.identity
            return request_of(settings, prompt, session_id=identity.session_id, response_id=response_id, tenant=identity.tenant)

        times = ResponseTimes(core.parts.now_ms(), endpointing_ms)
        response = self._response(response_id, settings, prepare, times, utterance_id)
        response.writer.create()
        core.keeper.beat()
        if settings.in_conversation:
            self._on_turn(ResponseStarted())
        core.responses.begin(response, core.tasks, in_conversation=settings.in_conversation)

    def tick(self) -> None:
        """The last sound may have been played by now."""
        responses = self._core.responses
        audible = responses.audible
        if audible and audible is not responses.active:
            audible.pacer.played_ms()
            if audible.pacer.clock.at_end:
                responses.audible = None
                audible.heard()
                if responses.active is None:
                    self._on_turn(ResponseEnded())

    async def _words_are_known(self) -> None:
        pending = list(self._core.transcribing.values())
        if pending:
            await asyncio.wait(pending)
        for task in pending:
            problem = task.result()
            if problem:
                raise problem

    def _trace(self, response_id: str, utterance_id: str | None, endpointing_ms: float) -> TurnTrace:
        core = self._core
        attributes = core.trace.attributes | {names.ATTR_RESPONSE_ID: response_id}
        if utterance_id:
            attributes[names.ATTR_UTTERANCE_ID] = utterance_id
        return TurnTrace(core.parts.tracer, attributes, endpointing_ms, core.trace.links)

    def _response(
        self, response_id: str, settings: ResponseSettings, prepare: Prepare, times: ResponseTimes, utterance_id: str | None
    ) -> Response:
        core, parts = self._core, self._core.parts
        trace = self._trace(response_id, utterance_id, times.endpointing_ms)
        if settings.events and trace.traceparent:
            settings = replace(settings, metadata=(settings.metadata or {}) | {TRACEPARENT_KEY: trace.traceparent})
        rigs = core.info.rigs if core.info else {}
        writer = ResponseWriter(
            core.out,
            settings,
            response_id,
            conversation=core.conversation if settings.in_conversation else None,
            conversation_id=core.conversation_id,
            new_id=parts.new_id,
            rig_names=rigs.get(settings.motion.rig, ()) if settings.motion else (),
        )
        not_before_ms = parts.now_ms() + core.responses.remaining_ms()
        pacer = Pacer(parts.now_ms, lead_ms=parts.limits.lead_ms, burst=settings.burst, not_before_ms=not_before_ms)

        def on_sound(pcm16: bytes) -> None:
            core.echo.played(pcm16)
            if settings.in_conversation:
                core.responses.audible = response
                self._on_turn(ResponseSpeaking())

        response = Response(
            writer,
            pacer,
            core.out,
            parts.inference,
            prepare=prepare,
            on_sound=on_sound,
            on_done=self._done,
            now_ms=parts.now_ms,
            trace=trace,
            times=times,
            input_audio_ms=core.take_audio_ms() if settings.in_conversation else 0,
        )
        return response

    def _done(self, response: Response) -> None:
        core = self._core
        if not core.closing:
            core.tasks.create_task(core.tell_rate_limits(), name=f"rate limits {response.id}")
        core.turns += 1
        # Who got no answer is not billed for the question; the next answer is, if there is one.
        if response.status == "failed" or not response.counted:
            core.unbilled_audio_ms, response.input_audio_ms = core.unbilled_audio_ms + response.input_audio_ms, 0
        facts = turn_facts(core, response)
        core.parts.metrics.count(facts.status, response.code, underran=response.pacer.underran)
        if facts.first_packet_ms is not None:
            core.parts.metrics.spoke(facts.first_packet_ms, facts.phases_ms(), facts.model)
        if response.counted:  # else it was refused, or cut before it cost anything: as many records as a client cares to cause
            core.keeper.turn(facts)
        own = core.responses.done(response)
        if not own or response.status != "completed" or not response.spoke:
            response.heard()
        if not own and not core.closing:
            core.tasks.create_task(self._release(response), name=f"release {response.id}")
        if not own:
            return
        for item in response.writer.items:
            core.keeper.item_done(item)
        cancelled = response.status == "cancelled"
        if cancelled and core.responses.audible is response:
            core.responses.audible = None
        if core.responses.audible is not response:
            self._on_turn(ResponseEnded())

    async def _release(self, response: Response) -> None:
        """A response outside the conversation had a slot of its own."""
        try:
            await self._core.parts.inference.release(f"{self._core.identity.session_id}.{response.id}")
        except Problem:
            return  # the replica evicts it by itself


def _holds_words(core: SessionCore, item_id: str) -> bool:
    return any(item.id == item_id and item.transcript().strip() for item in core.conversation.items)
