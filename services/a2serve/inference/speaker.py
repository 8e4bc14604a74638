"""The engine in the service's words: sessions, responses and their pace. Used by one thread; knows no event loop.

Who takes part in a step is decided here: a response that is far ahead of real time, or whose reader does not keep up,
yields its share to the others.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast
from uuid import uuid4

from a2llm.conversation import Conversation, Reply, StepOutput
from a2llm.engine import Engine
from a2llm.language.items import AssistantTurn, Item
from a2llm.language.tools import choose_tools
from a2serve.inference.exchange import Ask, Call, Finish, Piece, Reason, Timings, Usage
from a2serve.inference.mailbox import Delivery, Mailbox
from a2serve.inference.metrics import Metrics
from a2serve.inference.prefixes import Prefixes

MOST_UNREAD = 100  # pieces: 5 s of speech that the reader has not taken
_LOOK_AGAIN_S = 0.02  # while a reader does not keep up
_REMEMBERED = 64  # replies of one session whose tokens are known


class Pace(Protocol):
    """How far ahead of real time a response may run; seconds."""

    @property
    def lead_s(self) -> float: ...

    @property
    def crowded_lead_s(self) -> float: ...


@dataclass
class Session:
    """A slot, and the replies it spoke: their very tokens keep the KV cache valid where the text alone would not."""

    conversation: Conversation
    _said: OrderedDict[str, AssistantTurn] = field(default_factory=OrderedDict[str, AssistantTurn])

    def remember(self, turn: AssistantTurn) -> None:
        self._said[turn.text] = turn
        while len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)

    def recall(self, items: Sequence[Item]) -> list[Item]:
        """The items, with the tokens of what was said here."""
        return [self._said.get(item.text, item) if isinstance(item, AssistantTurn) else item for item in items]


@dataclass
class Speech:
    """A response in progress."""

    ask: Ask
    mailbox: Mailbox
    reply: Reply
    sample_rate_hz: int
    began: bool = False  # a piece has left
    compute_s: float = 0.0

    @property
    def waits_for_sound(self) -> bool:
        return self.reply.speaks and self.reply.marks.first_audio_s is None

    def early_s(self, now_s: float, lead_s: float) -> float:
        """How long until it may go on; 0 or less: now."""
        if self.mailbox.unread > MOST_UNREAD:
            return _LOOK_AGAIN_S
        started_s = self.reply.marks.first_audio_s
        if self.ask.burst or started_s is None:
            return 0.0
        return self.reply.emitted_samples / self.sample_rate_hz - (now_s - started_s) - lead_s

    def piece(self, output: StepOutput) -> Piece:
        affect = None if self.began else self.reply.affect
        self.began = True
        call = Call(f"call_{uuid4().hex[:20]}", output.call.name, output.call.arguments) if output.call else None
        finish = self.finish(gave_up=self.reply.call is not None and call is None) if output.last else None
        pcm, motion = (output.pcm, output.motion) if len(output.pcm) else (None, None)
        return Piece(output.pts_samples, output.text, pcm, motion, affect, call, finish)

    def finish(self, gave_up: bool = False) -> Finish:
        """gave_up: a call was to be written, and none came about."""
        reply, audio_ms = self.reply, round(self.reply.emitted_samples * 1000 / self.sample_rate_hz)
        reason = cast("Reason", reply.finish_reason)
        usage = Usage(reply.input_tokens, reply.cached_tokens, len(reply.tokens), audio_ms)
        text = " ".join(reply.spoken[: reply.emitted_words])
        return Finish("content" if gave_up and reason == "completed" else reason, text, usage, self._timings())

    def _timings(self) -> Timings:
        marks = self.reply.marks
        return Timings(self._since_ms(marks.admitted_s), self._since_ms(marks.prefill_done_s), self._since_ms(marks.first_token_s),
                       self._since_ms(marks.first_audio_s), self.compute_s * 1000)  # fmt: skip

    def _since_ms(self, at_s: float | None) -> float:
        """0 for what has not come."""
        return 0.0 if at_s is None else (at_s - self.ask.arrived_s) * 1000


class Speaker:
    """One engine with its sessions and what they are saying."""

    def __init__(self, engine: Engine, pace: Pace, metrics: Metrics, prefixes: Prefixes | None = None) -> None:
        self._engine, self._pace, self._metrics, self._prefixes = engine, pace, metrics, prefixes
        self._sessions: dict[str, Session] = {}
        self._speeches: dict[Mailbox, Speech] = {}

    def begin(self, ask: Ask, mailbox: Mailbox, evicted: str | None) -> list[Delivery]:
        """Start a response; what its session was saying ends. A request the engine cannot take comes back as its error."""
        if evicted is not None:
            self._forget(evicted)
        ended = self._end_session_speech(ask.session_id)
        try:
            self._speeches[mailbox] = self._open(ask, mailbox)
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
        self._forget(session_id)
        return ended

    def turn_end(self, words: str) -> float:
        """P(the user's turn ends after these words)."""
        return self._engine.turn_end_probability(words)

    def step(self) -> list[Delivery]:
        """One engine step for those that may run; what became ready."""
        started_s, lead_s = time.perf_counter(), self._lead_s()
        speeches = {id(s.reply): s for s in self._speeches.values() if s.early_s(started_s, lead_s) <= 0}
        if not speeches:
            return []
        self._engine.replies = [s.reply for s in speeches.values()]
        ready = [(speeches[id(reply)], output) for reply, output in self._engine.step()]
        self._note(list(speeches.values()), time.perf_counter() - started_s)
        for speech, output in ready:
            if output.last:
                self._end(speech)
        return [(speech.mailbox, speech.piece(output)) for speech, output in ready]

    def rest_s(self) -> float | None:
        """How long the engine may sleep; None: until something is asked of it."""
        now_s, lead_s = time.perf_counter(), self._lead_s()
        waits = [speech.early_s(now_s, lead_s) for speech in self._speeches.values()]
        return max(0.0, min(waits)) if waits else None

    def _lead_s(self) -> float:
        crowded = any(speech.waits_for_sound for speech in self._speeches.values())
        return self._pace.crowded_lead_s if crowded else self._pace.lead_s

    def _open(self, ask: Ask, mailbox: Mailbox) -> Speech:
        session = self._sessions.get(ask.session_id)
        if session is None:
            session = self._sessions[ask.session_id] = Session(self._engine.open_conversation(ask.persona))
        session.conversation.persona = ask.persona
        if self._prefixes:
            self._prefixes.lend(session.conversation, self._beginning(ask))
        reply = self._engine.respond(session.conversation, session.recall(ask.items), ask.options)
        return Speech(ask, mailbox, reply, self._engine.parts.clock.sample_rate_hz)

    def _beginning(self, ask: Ask) -> list[int]:
        """Ids that the prompt begins with. Raises ValueError, as the engine does, for tools that cannot be kept to."""
        tools = choose_tools(ask.options.tools, ask.options.tool_choice)
        return self._engine.template.instructions(ask.persona.instructions, tools)

    def _end(self, speech: Speech) -> None:
        del self._speeches[speech.mailbox]
        if self._prefixes:
            self._prefixes.learn(speech.reply.conversation, self._beginning(speech.ask))
        said = speech.reply.said
        if isinstance(said, AssistantTurn) and said.text:
            self._sessions[speech.ask.session_id].remember(said)

    def _note(self, speeches: Sequence[Speech], took_s: float) -> None:
        for speech in speeches:
            speech.compute_s += took_s
        self._metrics.step.observe(took_s)
        self._metrics.batch.observe(len(speeches))
        tokens = sum(len(session.conversation.cached) for session in self._sessions.values())
        self._metrics.kv_tokens.set(tokens)
        self._metrics.kv_bytes.set(tokens * self._engine.cache.token_bytes)

    def _end_session_speech(self, session_id: str) -> list[Delivery]:
        ended = [s for s in self._speeches.values() if s.ask.session_id == session_id]
        for speech in ended:
            self.cancel(speech.mailbox)
        return [(s.mailbox, Piece(s.reply.emitted_samples, finish=s.finish())) for s in ended]

    def _forget(self, session_id: str) -> None:
        session = self._sessions.pop(session_id, None)
        if session:
            self._engine.close_conversation(session.conversation)
