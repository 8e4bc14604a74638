"""How a replica's engine is warmed up: everything that will be asked for runs once, and nothing of it stays."""

from dataclasses import replace
from typing import Any

from support.models import tiny

from a2llm.engine import Engine, TextSampling
from a2llm.talker.config import SamplingConfig
from a2serve.inference.model import warm_up
from a2serve.inference.settings import InferenceSettings


class Watched:
    """A talker that notes how many residual levels it is asked for, and in how many rows."""

    def __init__(self) -> None:
        self.own, self.seen = tiny.parts().talker, set[tuple[int, int]]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)

    def step(self, frames: Any, state: Any, rows: Any, uniforms: Any, sampling: SamplingConfig) -> Any:
        self.seen.add((sampling.audio_levels, len(rows)))
        return self.own.step(frames, state, rows, uniforms, sampling)


def test_warm_up_speaks_alone_and_in_all_slots_and_with_the_fewest_levels_and_leaves_nothing():
    talker = Watched()
    engine = Engine(replace(tiny.parts(), talker=talker), 2, 1024, text_sampling=TextSampling(max_tokens=8))
    engine.keep_prefixes(0)
    warm_up(engine, InferenceSettings(slots=2, fewest_levels=3))
    assert {(3, 1), (8, 1), (8, 2)} <= talker.seen
    assert {levels for levels, _ in talker.seen} == {3, engine.audio_levels}
    assert (engine.responses, engine.held_tokens, engine.prefixes.tokens) == ((), 0, 0)
