"""The engine with its sessions, running responses and scheduler. Used by one thread, `engine_host`'s; knows no event loop."""

import time
from collections.abc import Sequence

from a2llm.engine import Conversation, Engine, Response
from a2llm.messages import AppendRequest, Persona, ResponseRequest, ResponseUnknown, StepOutput, WordsMissing
from a2serve.inference.mailbox import Delivery, Mailbox
from a2serve.inference.metrics import Metrics
from a2serve.inference.pace import Pace
from a2serve.inference.running import LONGEST_SILENCE_S, RunningResponse
from a2serve.inference.scheduler import Scheduler


class EngineCore:
    """levels: residual levels of the full sound; None is the engine's own."""

    def __init__(self, engine: Engine, pace: Pace, metrics: Metrics, levels: int | None = None) -> None:
        self._engine, self._metrics = engine, metrics
        self._sessions: dict[str, Conversation] = {}  # each has a slot
        self._running: dict[Response, RunningResponse] = {}
        self._scheduler = Scheduler(pace, engine.tokens_at_once, levels or engine.audio_levels)

    @property
    def waiting_limit(self) -> int:
        """How many responses may be waiting for their first sound at a time. For any thread."""
        return self._scheduler.waiting_limit

    def begin(self, request: ResponseRequest, mailbox: Mailbox, evicted: str | None) -> list[Delivery]:
        """Start a response; the one that its session was speaking ends. A request the engine cannot take comes back as its error.
        evicted: the session that lost its slot to this one."""
        if evicted is not None:
            self._spill(evicted)
        ended = self._end_response_of(request.session_id)
        try:
            running = self._open(request, mailbox)
        except ValueError as error:
            return [*ended, (mailbox, error)]
        self._running[running.response] = running
        return ended

    def cancel(self, mailbox: Mailbox) -> list[Delivery]:
        """Stops a response that nobody reads any more."""
        for running in [r for r in self._running.values() if r.mailbox is mailbox]:
            self._stop(running)
        return []

    def append(self, request: AppendRequest) -> int:
        """More of a response's given words; returns how many characters it has. Raises ResponseUnknown."""
        running = next((r for r in self._running.values() if r.is_response(request.session_id, request.response_id)), None)
        if running is None:
            raise ResponseUnknown(f"no response {request.response_id!r} is in progress here")
        try:
            return running.append(request, time.perf_counter())
        except ValueError as error:
            raise ResponseUnknown(str(error)) from None

    def release(self, session_id: str) -> list[Delivery]:
        """Forgets a session; its response ends."""
        ended = self._end_response_of(session_id)
        if conversation := self._sessions.pop(session_id, None):
            self._engine.close_conversation(conversation)
        self._engine.forget(session_id)
        return ended

    def turn_end(self, words: str) -> float:
        """P(the user's turn ends after these words)."""
        return self._engine.turn_end_probability(words)

    def step(self) -> list[Delivery]:
        """One engine step, if a response may go on; the outputs that became ready."""
        started_s = time.perf_counter()
        late = self._end_wordless(started_s)
        plan = self._scheduler.plan(self._running.values(), started_s)
        if plan is None:
            return late
        stepping = [self._running[response] for response in plan.responses]
        waiting = [running for running in stepping if running.waits]
        outputs = self._engine.step(plan)
        self._note(stepping, waiting, time.perf_counter() - started_s)
        return late + [self._deliver(response, output) for response, output in outputs]

    def idle_s(self) -> float | None:
        """How long the engine may sleep; None: until something is asked of it."""
        return self._scheduler.idle_s(self._running.values(), time.perf_counter())

    def _open(self, request: ResponseRequest, mailbox: Mailbox) -> RunningResponse:
        persona = Persona(request.persona, request.instructions, request.affect_baseline, voice=request.usual_voice)
        conversation = self._sessions.get(request.session_id)
        if conversation is None:
            conversation = self._sessions[request.session_id] = self._engine.open_conversation(persona, request.session_id)
        conversation.change_persona(persona)
        response = self._engine.respond(conversation, request.items, request.options)
        return RunningResponse(request, mailbox, response, self._engine.parts.clock.sample_rate_hz)

    def _deliver(self, response: Response, output: StepOutput) -> Delivery:
        running = self._running.pop(response) if output.last else self._running[response]
        return running.mailbox, running.output(output)

    def _note(self, stepping: Sequence[RunningResponse], waiting: Sequence[RunningResponse], took_s: float) -> None:
        """waiting: those of `stepping` that had no first sound before the step."""
        for running in stepping:
            running.note_step(took_s)
        for running in waiting:
            running.note_start(took_s / len(waiting))
            if not running.waits:
                self._scheduler.note_first_sound(running.start_s)
        self._metrics.step.observe(took_s)
        self._metrics.batch.observe(len(stepping))
        self._metrics.kv_tokens.set(self._engine.held_tokens)
        self._metrics.kv_bytes.set(self._engine.held_tokens * self._engine.cache.token_bytes)

    def _stop(self, running: RunningResponse) -> None:
        del self._running[running.response]
        self._engine.cancel(running.response)

    def _end_response_of(self, session_id: str) -> list[Delivery]:
        """Cancels a session's response; its reader gets the end."""
        ended = [running for running in self._running.values() if running.session_id == session_id]
        for running in ended:
            self._stop(running)
        return [(r.mailbox, StepOutput(pts_samples=r.response.media.samples, last=True, done=r.done())) for r in ended]

    def _end_wordless(self, now_s: float) -> list[Delivery]:
        """Ends responses whose given words did not come in time."""
        late = [r for r in self._running.values() if r.waits_for_words and r.words_due_s(now_s) <= 0]
        for running in late:
            self._stop(running)
        return [(r.mailbox, WordsMissing(f"no given word came for {LONGEST_SILENCE_S:.0f} s")) for r in late]

    def _spill(self, session_id: str) -> None:
        """Takes a session's slot, and stores its prefix in the cache."""
        if conversation := self._sessions.pop(session_id, None):
            self._engine.spill_conversation(conversation)
