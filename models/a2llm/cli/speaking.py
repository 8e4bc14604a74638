"""Records the response to one question: drives it, keeps what came out and how long everything took.

It prints and plays nothing; a caller that does takes the steps as they come.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from a2llm.api import A2LLM
from a2llm.cli.hearing import Question
from a2llm.engine import Response
from a2llm.evaluation.timing import Stopwatch
from a2llm.messages import Affect, Persona, StepOutput
from a2llm.talker.stream import Timing

LISTENING, OTHER = "listening", "other"


@dataclass(frozen=True)
class RecordedResponse:
    """A whole response. pcm float32 [S] at sample_rate_hz, motion float32 [F, 61] at motion_fps, times in milliseconds."""

    question: Question
    text: str
    words: list[dict[str, object]]
    phones: list[dict[str, object]]
    affect: Affect
    chosen: bool  # by the model, not by the user
    persona: Persona
    seed: int
    pcm: np.ndarray
    motion: np.ndarray
    sample_rate_hz: int
    motion_fps: int
    timings: dict[str, object]


class TimedResponse:
    """One response that is being made: iterate `steps`, then take `recorded`."""

    def __init__(self, a2: A2LLM, question: Question, affect: Affect | None, seed: int, watch: Stopwatch) -> None:
        self._a2, self._question, self._forced, self._seed, self._watch = a2, question, affect, seed, watch
        self._listening_ms = question.heard.compute_ms if question.heard else 0.0
        self.frl_ms: float | None = None  # from the end of the user's turn to the first voice and motion, listening included
        self._started, self._compute_ms = 0.0, 0.0
        self._out: list[StepOutput] = []

    def steps(self) -> Iterator[StepOutput]:
        """Yields the response as it is made; leaving early ends it. Only the making is timed, not what the caller does between."""
        self._watch.reset()
        self._started = time.perf_counter()
        made = self._a2.respond(self._question.text, self._forced, self._seed, self._question.voice)
        self._compute_ms = (time.perf_counter() - self._started) * 1000
        try:
            while (step := self._timed_step(made)) is not None:
                yield step
        finally:
            if self._a2.response is not None:
                self._a2.engine.cancel(self._a2.response)

    def _timed_step(self, made: Iterator[StepOutput]) -> StepOutput | None:
        begun = time.perf_counter()
        step = next(made, None)
        self._compute_ms += (time.perf_counter() - begun) * 1000
        if step is not None:
            self.frl_ms = self.frl_ms or self._compute_ms + self._listening_ms
            self._out.append(step)
        return step

    @property
    def response(self) -> Response:
        assert self._a2.response is not None
        return self._a2.response

    def recorded(self) -> RecordedResponse:
        """Returns the response so far. Raises ValueError if it has no sound."""
        if not self._out:
            raise ValueError("the avatar found nothing to say to this: ask in other words or with another seed")
        response, clock = self.response, self._a2.engine.parts.clock
        spoken = response.words_emitted
        last_unit = sum(len(step.motion) for step in self._out)
        return RecordedResponse(
            self._question,
            " ".join(spoken),
            _spans("word", response.talker.word_timings(spoken), clock.motion_hz, last_unit),
            _spans("phone", response.talker.phone_timings(), clock.motion_hz, last_unit),
            response.affect or Affect(),
            self._forced is None,
            response.conversation.persona,
            self._seed,
            np.concatenate([step.pcm for step in self._out]),
            np.concatenate([step.motion for step in self._out]),
            clock.sample_rate_hz,
            clock.motion_hz,
            self.timings(),
        )

    @property
    def duration_ms(self) -> float:
        return self._a2.engine.parts.clock.samples_to_ms(sum(len(step.pcm) for step in self._out))

    @property
    def rtf(self) -> float:
        """Compute time / duration of the sound; listening is not in it."""
        return self._compute_ms / max(self.duration_ms, 1.0)

    def timings(self) -> dict[str, object]:
        """ttft: first word token; frl: first voice and motion; both from the end of the user's turn, listening included."""
        split = {LISTENING: self._listening_ms} | {part: 1000 * spent for part, spent in self._watch.seconds.items()}
        split[OTHER] = self._compute_ms - 1000 * sum(self._watch.seconds.values())
        token = self._watch.first_return.get("backbone.logits", self._started)
        ttft_ms = (token - self._started) * 1000 + self._listening_ms
        return {
            "ttft_ms": round(ttft_ms, 1),
            "frl_ms": round(self.frl_ms or 0.0, 1),
            "rtf": round(self.rtf, 4),
            "duration_ms": round(self.duration_ms, 1),
            "compute_ms": round(self._compute_ms, 1),
            "split": {f"{part}_ms": round(spent, 1) for part, spent in split.items()},
        }


def _spans(kind: str, timings: list[Timing], motion_hz: int, last_unit: int) -> list[dict[str, object]]:
    """Times in milliseconds of what has begun before `last_unit`; a unit is one motion frame."""
    unit_ms = 1000 / motion_hz
    return [
        {kind: t.symbol, "start_ms": round(t.start * unit_ms), "end_ms": round(min(t.end, last_unit) * unit_ms)}
        for t in timings
        if t.start < last_unit or t.start == t.end == last_unit
    ]
