"""The engine in the service's words: sessions, responses and their pace. Used by one thread; knows no event loop.

Who takes part in a step is the schedule's decision; a response whose reader does not keep up takes part in none.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from a2llm.conversation import Conversation, Reply
from a2llm.engine import Engine
from a2llm.language.tools import choose_tools
from a2llm.messages import Done, Persona, ResponseRequest, StepOutput, Timings, Usage
from a2serve.inference.kept import Kept
from a2serve.inference.mailbox import Delivery, Mailbox
from a2serve.inference.metrics import Metrics
from a2serve.inference.schedule import LOOK_AGAIN_S, Pace, Progress, Schedule

MOST_UNREAD = 100  # outputs: 5 s of speech that the reader has not taken


@dataclass
class Speech:
    """A response in progress."""

    request: ResponseRequest
    mailbox: Mailbox
    reply: Reply
    sample_rate_hz: int
    began: bool = False  # an output has left, here or where it was lost
    compute_s: float = 0.0
    beginning_s: float = 0.0  # of the engine's time until its first sound, shared with those that began beside it

    @property
    def resumed_samples(self) -> int:
        """So many were delivered before they were asked for here; they are not sent again."""
        return self.request.options.resume.samples if self.request.options.resume else 0

    def progress(self, now_s: float) -> Progress:
        """How it is doing, for the schedule."""
        began_s = self.reply.marks.first_audio_s
        made_s = (self.reply.emitted_samples - self.resumed_samples) / self.sample_rate_hz
        if not self.reply.speaks:
            return Progress(made_s, None)
        if began_s is None:
            return Progress(made_s, 0.0, now_s - self.mailbox.opened_s)
        return Progress(made_s, made_s - (now_s - began_s), hurries=self.request.burst)

    def output(self, made: StepOutput) -> StepOutput:
        """What the engine made, with what is known of the whole response."""
        affect = None if self.began else self.reply.affect
        self.began = True
        call = replace(made.function_call, call_id=f"call_{uuid4().hex[:20]}") if made.function_call else None
        done = self.done(gave_up=self.reply.call is not None and call is None) if made.last else None
        return replace(made, affect=affect, function_call=call, done=done, usage=self.usage())

    def done(self, gave_up: bool = False) -> Done:
        """gave_up: a call was to be written, and none came about."""
        reply, reason = self.reply, self.reply.finish_reason
        text = " ".join(reply.spoken[: reply.emitted_words])
        return Done("content" if gave_up and reason == "completed" else reason, text, self.usage(), self._timings())

    def usage(self) -> Usage:
        """Of the whole response so far, what was delivered before it came here included."""
        samples = max(self.reply.emitted_samples, self.resumed_samples)
        return replace(self.reply.usage, output_audio_ms=round(samples * 1000 / self.sample_rate_hz))

    def _timings(self) -> Timings:
        marks = self.reply.marks
        return Timings(
            self._since_ms(marks.admitted_s),
            self._since_ms(marks.prefill_done_s),
            self._since_ms(marks.first_token_s),
            self._since_ms(marks.first_audio_s),
            self.compute_s * 1000,
        )

    def _since_ms(self, at_s: float | None) -> float:
        """0 for what has not come."""
        return 0.0 if at_s is None else (at_s - self.mailbox.opened_s) * 1000


class Speaker:
    """One engine with its sessions and what they are saying."""

    def __init__(self, engine: Engine, pace: Pace, metrics: Metrics, kept: Kept | None = None) -> None:
        self._engine, self._pace, self._metrics, self._kept = engine, pace, metrics, kept
        self._sessions: dict[str, Conversation] = {}  # each has a slot
        self._speeches: dict[Mailbox, Speech] = {}
        self._schedule = Schedule(pace, engine.sampling.audio_levels)

    def begin(self, request: ResponseRequest, mailbox: Mailbox, evicted: str | None) -> list[Delivery]:
        """Start a response; what its session was saying ends. A request the engine cannot take comes back as its error."""
        if evicted is not None:
            self._put_by(evicted)
        ended = self._end_session_speech(request.session_id)
        try:
            self._speeches[mailbox] = self._open(request, mailbox)
        except ValueError as error:
            return [*ended, (mailbox, error)]
        return ended

    def cancel(self, mailbox: Mailbox) -> list[Delivery]:
        """Stop a response that nobody reads any more."""
        speech = self._speeches.pop(mailbox, None)
        if speech:
            self._engine.cancel(speech.reply)
        return []

    def release(self, session_id: str) -> list[Delivery]:
        """Forget a session."""
        ended = self._end_session_speech(session_id)
        self._close(session_id)
        if self._kept:
            self._kept.forget(session_id)
        return ended

    def turn_end(self, words: str) -> float:
        """P(the user's turn ends after these words)."""
        return self._engine.turn_end_probability(words)

    def step(self) -> list[Delivery]:
        """One engine step for those that may run; what became ready."""
        started_s, waits = time.perf_counter(), self._waits()
        speeches = {speech.reply: speech for speech, wait_s in waits if wait_s <= 0}
        if not speeches:
            return []
        self._engine.replies = list(speeches)
        beginning = [speech for speech in speeches.values() if speech.reply.marks.first_audio_s is None]
        resting = [] if self._schedule.tight else [speech.reply for speech, wait_s in waits if wait_s > 0]
        self._engine.sampling = replace(self._engine.sampling, audio_levels=self._schedule.levels)
        ready = [(speeches[reply], output) for reply, output in self._engine.step(resting)]
        self._note(list(speeches.values()), beginning, time.perf_counter() - started_s)
        for speech, output in ready:
            if output.last:
                self._end(speech)
        return [(speech.mailbox, speech.output(output)) for speech, output in ready]

    def rest_s(self) -> float | None:
        """How long the engine may sleep; None: until something is asked of it."""
        waits = [wait_s for _, wait_s in self._waits()]
        return max(0.0, min(waits)) if waits else None

    @property
    def newcomers(self) -> int:
        """How many responses may be on their way to their first sound. For any thread."""
        return self._schedule.newcomers

    def _waits(self) -> list[tuple[Speech, float]]:
        """How long each response has to wait; 0 or less: it goes on now."""
        now_s = time.perf_counter()
        progress = [(speech, speech.progress(now_s)) for speech in self._speeches.values()]
        self._schedule.look(p for _, p in progress)
        return [(speech, LOOK_AGAIN_S if speech.mailbox.unread > MOST_UNREAD else self._schedule.early_s(p)) for speech, p in progress]

    def _open(self, request: ResponseRequest, mailbox: Mailbox) -> Speech:
        persona = Persona(request.persona, request.instructions, request.affect_baseline)
        conversation = self._sessions.get(request.session_id)
        if conversation is None:
            conversation = self._sessions[request.session_id] = self._engine.open_conversation(persona)
        conversation.persona = persona
        if self._kept:
            self._kept.lend(request.session_id, conversation, self._beginning(request))
        reply = self._engine.respond(conversation, request.items, request.options)
        return Speech(request, mailbox, reply, self._engine.parts.clock.sample_rate_hz, began=request.options.resume is not None)

    def _beginning(self, request: ResponseRequest) -> list[int]:
        """Ids that the prompt begins with. Raises ValueError, as the engine does, for tools that cannot be kept to."""
        tools = choose_tools(request.options.tools, request.options.tool_choice)
        return self._engine.template.opening(request.instructions, tools)

    def _end(self, speech: Speech) -> None:
        del self._speeches[speech.mailbox]
        if self._kept:
            self._kept.learn(speech.reply.conversation, self._beginning(speech.request))

    def _note(self, speeches: Sequence[Speech], beginning: Sequence[Speech], took_s: float) -> None:
        for speech in speeches:
            speech.compute_s += took_s
        for speech in beginning:
            speech.beginning_s += took_s / len(beginning)
            if speech.reply.marks.first_audio_s is not None:
                self._schedule.begun(speech.beginning_s)
        self._metrics.step.observe(took_s)
        self._metrics.batch.observe(len(speeches))
        tokens = sum(len(conversation.cached) for conversation in self._sessions.values())
        self._metrics.kv_tokens.set(tokens)
        self._metrics.kv_bytes.set(tokens * self._engine.cache.token_bytes)

    def _end_session_speech(self, session_id: str) -> list[Delivery]:
        ended = [s for s in self._speeches.values() if s.request.session_id == session_id]
        for speech in ended:
            self.cancel(speech.mailbox)
        return [(s.mailbox, StepOutput(pts_samples=s.reply.emitted_samples, last=True, done=s.done(), usage=s.usage())) for s in ended]

    def _put_by(self, session_id: str) -> None:
        """The session has to give its slot away, but not what it holds."""
        if self._kept and session_id in self._sessions:
            self._kept.put_by(session_id, self._sessions[session_id])
        self._close(session_id)

    def _close(self, session_id: str) -> None:
        conversation = self._sessions.pop(session_id, None)
        if conversation:
            self._engine.close_conversation(conversation)
