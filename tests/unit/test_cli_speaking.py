"""A response that is recorded: what came out, its times, and what is left when nobody waits for its end."""

import numpy as np
import pytest
from support.models import tiny

from a2llm.api import A2LLM
from a2llm.cli.hearing import Question
from a2llm.cli.speaking import LISTENING, OTHER, TimedResponse
from a2llm.engine import Engine
from a2llm.evaluation.timing import Stopwatch, timed_parts
from a2llm.language.chat import find_persona
from a2llm.messages import Affect


def response(affect: Affect | None = None, seed: int = 3) -> tuple[A2LLM, TimedResponse]:
    watch = Stopwatch()
    a2 = A2LLM(Engine(timed_parts(tiny.parts(), watch)), find_persona("ada"))
    return a2, TimedResponse(a2, Question("Hello there"), affect, seed, watch)


def test_a_recorded_response_is_what_its_steps_were() -> None:
    _, timed = response(Affect("joy", 0.5))
    steps = list(timed.steps())
    made = timed.recorded()
    np.testing.assert_array_equal(made.pcm, np.concatenate([step.pcm for step in steps]))
    np.testing.assert_array_equal(made.motion, np.concatenate([step.motion for step in steps]))
    assert made.text == " ".join(step.text for step in steps if step.text)
    assert [word["word"] for word in made.words] == made.text.split()[: len(made.words)]
    assert (made.affect, made.chosen, made.seed) == (Affect("joy", 0.5), False, 3)
    assert len(made.pcm) / made.sample_rate_hz == pytest.approx(len(made.motion) / made.motion_fps)


def test_times_lie_within_the_response_and_their_parts_add_up() -> None:
    _, timed = response()
    list(timed.steps())
    made, timings = timed.recorded(), timed.timings()
    for spans in (made.words, made.phones):
        assert all(0 <= span["start_ms"] <= span["end_ms"] <= timings["duration_ms"] + 1 for span in spans)
    assert timings["ttft_ms"] > 0 and timed.frl_ms == pytest.approx(timings["frl_ms"], abs=0.1) and timed.frl_ms <= timings["compute_ms"]
    split = timings["split"]
    assert split[f"{LISTENING}_ms"] == 0.0 and sum(split.values()) == pytest.approx(timings["compute_ms"], abs=1.0)
    assert split[f"{OTHER}_ms"] > 0 and timings["rtf"] == pytest.approx(timings["compute_ms"] / timings["duration_ms"], rel=0.01)


def test_leaving_early_ends_the_response_and_keeps_what_was_said() -> None:
    a2, timed = response()
    steps = timed.steps()
    first = next(steps)
    steps.close()
    assert a2.response is not None and a2.response.finish_reason == "cancelled"
    assert len(timed.recorded().pcm) == len(first.pcm)


def test_a_response_without_sound_says_what_to_do() -> None:
    _, timed = response()
    with pytest.raises(ValueError, match="ask in other words or with another seed"):
        timed.recorded()
