"""How many people can listen at once: one engine at the pace of speech, its streams batched or one at a time, in pairs."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from realtime_client import PLAYER_BUFFER_S

from a2llm.api import load_parts
from a2llm.engine import Engine, Parts, Plan, Response, everybody, pack
from a2llm.language.chat import find_persona
from a2llm.messages import ResponseOptions, ResponseRequest, StepOutput, UserTurn
from a2serve.inference.engine_core import EngineCore
from a2serve.inference.mailbox import Mailbox
from a2serve.inference.metrics import Metrics
from a2serve.inference.pace import Pace

QUESTIONS = [line for line in (Path(__file__).parent / "forty_questions.txt").read_text().splitlines() if line]
PERSONA = find_persona("ada")

PROBE_S, PROOF_S, STEPS_S = 15.0, 60.0, 8.0
LONGEST_FRL_S = 2.0  # nobody may wait longer for a first sound
TRIES = 3  # a shared machine stands still for a tenth of a second now and then, which is no engine's doing


PACE = Pace(fewest_levels=8)  # the service's own, with full quality whatever comes


class OneAtATime(Engine):
    """The same engine, a pass for every stream."""

    def step(self, plan: Plan) -> list[tuple[Response, StepOutput]]:
        outputs = list[tuple[Response, StepOutput]]()
        for response in plan.responses:
            outputs += super().step(pack([response], self.tokens_at_once, audio_levels=plan.audio_levels))
        return outputs


@dataclass
class Listener:
    """One person: asks, hears the answer to its end, asks again. Times in seconds of time.perf_counter."""

    number: int
    asked_s: float = 0.0
    ends_s: float = 0.0  # when the last answer has been heard
    begun_s: float | None = None
    turns: int = 0
    tokens: int = 0  # of answers that were heard to their end
    audio_s: float = 0.0
    late_s: list[float] = field(default_factory=list)  # of pieces that came after their moment
    first_s: list[float] = field(default_factory=list)  # asked -> first sound

    def ask(self) -> ResponseRequest:
        self.begun_s, self.turns = None, self.turns + 1
        question = QUESTIONS[(7 * self.number + self.turns) % len(QUESTIONS)]
        options = ResponseOptions(seed=1000 * self.number + self.turns)
        return ResponseRequest(f"listener-{self.number}", f"r{self.turns}", (UserTurn(question),), options).answered_by(PERSONA)

    def hear(self, piece: StepOutput, now_s: float) -> None:
        if piece.done:
            self.ends_s = (self.begun_s or now_s) + PLAYER_BUFFER_S + piece.done.usage.output_audio_ms / 1000
            self.tokens += piece.done.usage.output_text_tokens
            self.audio_s += piece.done.usage.output_audio_ms / 1000
        if not len(piece.pcm):
            return
        if self.begun_s is None:
            self.begun_s = now_s
            self.first_s.append(now_s - self.asked_s)
        due_s = self.begun_s + PLAYER_BUFFER_S + piece.pts_samples / 24_000
        if now_s > due_s:
            self.late_s.append(now_s - due_s)
            self.begun_s += now_s - due_s  # the player stood still


@dataclass(frozen=True)
class Run:
    """Outcome of a run with a number of listeners."""

    streams: int
    underruns: int
    worst_late_s: float
    frl_p50_ms: float
    frl_p95_ms: float
    frl_max_ms: float
    responses: int
    tokens_per_minute: float  # of speech

    @property
    def held(self) -> bool:
        return self.underruns == 0 and self.frl_max_ms <= 1000 * LONGEST_FRL_S


def listen(parts: Parts, streams: int, seconds: float, engine_type: type[Engine] = Engine) -> Run:
    """So many listeners for so long. As in the service, nobody is taken in whom those that listen would have to pay for: who is
    refused asks again until taken in, and waits for the first sound from the first time on."""
    engine = engine_type(parts, streams)
    engine.keep_prefixes(1024)
    engine.preload(PERSONA.instructions)
    core = EngineCore(engine, PACE, Metrics())
    people: dict[Mailbox, Listener] = {}

    def taken_in() -> bool:
        return not people or sum(person.begun_s is None for person in people.values()) < core.waiting_limit

    everybody = [Listener(number) for number in range(streams)]
    coming, hearing, asking = list(everybody), list[Listener](), list[Listener]()
    started_s = time.perf_counter()
    while (now_s := time.perf_counter()) - started_s < seconds:
        if coming and now_s - started_s >= min(0.25, 5.0 / streams) * (streams - len(coming)):  # they do not all come at once
            asking.append(coming.pop())
            asking[-1].asked_s = now_s
        for person in [person for person in hearing if person.ends_s <= now_s]:
            hearing.remove(person)
            asking.append(person)
            person.asked_s = now_s
        wait_s = core.idle_s()
        while asking and taken_in():
            mailbox = Mailbox()
            people[mailbox] = asking.pop(0)
            mailbox.opened_s = people[mailbox].asked_s
            core.begin(people[mailbox].ask(), mailbox, None)
            wait_s = core.idle_s()
        if wait_s is None or wait_s > 0:
            time.sleep(min(wait_s or 0.01, 0.01))
            continue
        for mailbox, event in core.step():
            assert isinstance(event, StepOutput), event
            people[mailbox].hear(event, time.perf_counter())
            if event.done:
                hearing.append(people.pop(mailbox))
    return _report(everybody, waiting=[*asking, *(person for person in people.values() if person.begun_s is None)], now_s=now_s)


def _report(everybody: list[Listener], waiting: list[Listener], now_s: float) -> Run:
    late = [value for person in everybody for value in person.late_s]
    waiting_s = [now_s - person.asked_s for person in waiting]
    first_ms = [1000 * value for value in [*(first for person in everybody for first in person.first_s), *waiting_s]]
    p50, p95, longest = (round(float(value), 1) for value in np.percentile(first_ms, [50, 95, 100]))
    spoken_min = sum(person.audio_s for person in everybody) / 60
    return Run(
        len(everybody),
        len(late),
        max(late, default=0.0),
        p50,
        p95,
        longest,
        sum(p.turns for p in everybody),
        round(sum(person.tokens for person in everybody) / spoken_min, 1) if spoken_min else 0.0,
    )


class Climb:
    """Looks for the most listeners, up to `limit`, that nobody of hears a gap for a minute: a run at a time, so that two engines
    can take turns and meet with the same machine. Each number of listeners has TRIES runs to hold."""

    def __init__(self, parts: Parts, engine_type: type[Engine], guess: int, say: Callable[[str], None], limit: int) -> None:
        self._parts, self._engine_type, self._say, self._limit = parts, engine_type, say, limit
        self._failed: Counter[int] = Counter()
        self._streams = self._probed(guess)
        self.best: Run | None = None  # that held

    @property
    def over(self) -> bool:
        if self.best is None:
            return self._failed[1] >= TRIES
        return self.best.streams >= self._limit or self._failed[self.best.streams + 1] >= TRIES

    def run(self) -> bool:
        """One minute; whether more listeners held than ever before."""
        run = self._listen(PROOF_S)
        if run.held:
            self.best = run
        else:
            self._failed[self._streams] += 1
        self._streams = self.best.streams + 1 if self.best else max(1, self._streams - 1)
        return run.held

    def try_again(self) -> None:
        """One more run, since the machine may be faster now."""
        self._failed[self._streams] = min(self._failed[self._streams], TRIES - 1)

    def _probed(self, streams: int) -> int:
        """Finds the number of streams to begin with: a short run holds there, or nearly."""
        self._streams = streams
        while self._streams > 1 and not self._listen(PROBE_S).held:
            self._streams -= max(1, self._streams // 8)
        return self._streams

    def _listen(self, seconds: float) -> Run:
        run = listen(self._parts, self._streams, seconds, self._engine_type)
        self._say(f"{self._engine_type.__name__}, {seconds:.0f} s: {run}")
        return run


def most_streams(climbs: Sequence[Climb]) -> list[Run]:
    """The most that each holds, found in turns: whenever one holds more, every other gets a run at that hour too. Raises
    RuntimeError when one does not even hold a single listener."""
    while not all(climb.over for climb in climbs):
        for climb in (climb for climb in climbs if not climb.over):
            if climb.run():
                for other in climbs:
                    if other is not climb:
                        other.try_again()
    if any(climb.best is None for climb in climbs):
        raise RuntimeError("this machine is too slow for one listener")
    return [climb.best for climb in climbs if climb.best]


def step_ms_by_batch(parts: Parts, sizes: Sequence[int] = (1, 2, 4, 8, 16)) -> dict[str, float]:
    """Mean time of a step in which so many responses take part, text and prompts included."""
    found: dict[str, float] = {}
    for size in sizes:
        engine = Engine(parts, size)
        talks = [engine.open_conversation(PERSONA) for _ in range(size)]
        for talk in talks:
            engine.warm_up(talk)
        took_s, steps, turn = 0.0, 0, 0
        while took_s < STEPS_S:
            for number, talk in enumerate(talks):
                if all(response.conversation is not talk for response in engine.responses):
                    turn += 1
                    engine.respond(talk, (UserTurn(QUESTIONS[(7 * number + turn) % len(QUESTIONS)]),), ResponseOptions(seed=turn))
            began_s = time.perf_counter()
            engine.step(everybody(engine))
            took_s, steps = took_s + time.perf_counter() - began_s, steps + 1
        found[f"step_ms_at_{size}"] = round(1000 * took_s / steps, 2)
    return found


def measure_streams(
    say: Callable[[str], None],
    parts: Parts | None = None,
    guesses: tuple[int, int] = (4, 13),
    sizes: Sequence[int] = (1, 2, 4, 8, 16),
    limit: int = 10_000,
) -> dict[str, Any]:
    """streams_single, streams_batched, batching_gain and how soon the batched ones heard their first sound.

    guesses: of the first two numbers, to begin with. sizes: of the batches whose step is timed.
    """
    parts = parts or load_parts(threads=2)
    listen(parts, 2, PROBE_S / 3)
    kinds = zip((OneAtATime, Engine), guesses, strict=True)
    single, batched = most_streams([Climb(parts, kind, guess, say, limit) for kind, guess in kinds])
    token_bytes = parts.backbone.new_cache(1, 64).token_bytes
    return {
        **step_ms_by_batch(parts, sizes),
        "kv_bytes_per_token": token_bytes,
        "tokens_per_spoken_minute": batched.tokens_per_minute,
        "kv_bytes_per_minute": round(token_bytes * batched.tokens_per_minute),
        "streams_single": single.streams,
        "streams_batched": batched.streams,
        "batching_gain": round(batched.streams / single.streams, 2),
        "single_frl_p50_ms": single.frl_p50_ms,
        "batched_frl_p50_ms": batched.frl_p50_ms,
        "batched_frl_p95_ms": batched.frl_p95_ms,
    }
