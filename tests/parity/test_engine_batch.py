"""Company changes nothing: four replies in one engine equal four engines; cached turns equal a fresh reading."""

from dataclasses import dataclass

import numpy as np
import pytest
import tiny
import torch

from a2llm.affect import Affect
from a2llm.conversation import Reply, StepOutput
from a2llm.engine import PREFILL_CHUNK, Engine, TextSampling
from a2llm.language.chat import find_persona
from a2llm.language.items import UserTurn
from a2llm.reply_options import ReplyOptions, Resume

SHORT = TextSampling(max_tokens=12)
PCM_TOLERANCE = 2e-4  # of a tiny voice with peaks of 0.016: its phase sums up the rounding of f0


@dataclass(frozen=True)
class Asked:
    """One turn: text, seed, the step at which it comes."""

    text: str
    seed: int
    at: int


TURNS = [Asked("Hello", 1, 0), Asked("How are you today, my friend?", 2, 3), Asked("word " * 150, 3, 5), Asked("Why", 4, 17)]


def run(engine: Engine, turns: list[Asked]) -> list[tuple[Reply, list[StepOutput]]]:
    """Ask each turn in a conversation of its own when its step comes."""
    talks = [engine.open_conversation(find_persona("ada")) for _ in turns]
    replies: list[Reply | None] = [None] * len(turns)
    out: list[list[StepOutput]] = [[] for _ in turns]
    step = 0
    while any(r is None or not r.over for r in replies):
        for index, turn in enumerate(turns):
            if turn.at == step:
                replies[index] = engine.open_stream(talks[index], turn.text, Affect(), turn.seed)
        for owner, output in engine.step():
            out[replies.index(owner)].append(output)
        step += 1
        assert step < 2000
    return list(zip([r for r in replies if r], out, strict=True))


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_four_together_equal_four_alone(runtime: str):
    parts = tiny.parts(runtime)
    together = run(Engine(parts, 4, text_sampling=SHORT), TURNS)
    for turn, (reply, out) in zip(TURNS, together, strict=True):
        [(single, alone)] = run(Engine(parts, 1, text_sampling=SHORT), [Asked(turn.text, turn.seed, 0)])
        assert reply.tokens == single.tokens
        assert reply.talker.durations == single.talker.durations
        assert [(o.text, o.pts_samples, o.last) for o in out] == [(o.text, o.pts_samples, o.last) for o in alone]
        for one, two in zip(out, alone, strict=True):
            assert np.allclose(one.pcm, two.pcm, atol=PCM_TOLERANCE)
            assert np.allclose(one.motion, two.motion, atol=1e-5)


def test_the_talkers_runtimes_say_the_same():
    made = [run(Engine(tiny.parts(r), 1, text_sampling=SHORT), TURNS[:1])[0][1] for r in ("openvino", "torch")]
    for one, two in zip(*made, strict=True):
        assert np.allclose(one.pcm, two.pcm, atol=PCM_TOLERANCE)
        assert np.allclose(one.motion, two.motion, atol=1e-5)


def test_turns_on_the_cache_equal_one_reading():
    engine = Engine(tiny.parts(), 2, text_sampling=SHORT)
    talk = engine.open_conversation(find_persona("ada"))
    engine.warm_up(talk)
    for index, text in enumerate(["Hello", "And you?", "word " * 70, "Why?"]):
        reply = engine.open_stream(talk, text, Affect(), index)
        while not reply.over:
            engine.step()
    backbone, row = tiny.backbone(), talk.row
    assert int(engine.cache.lengths[row]) == len(talk.cached) > PREFILL_CHUNK
    fresh = backbone.new_cache(1, len(talk.cached))
    backbone.forward(torch.tensor([talk.cached]), fresh)
    held = len(talk.cached)
    assert torch.allclose(engine.cache.keys[:, row, :, :held], fresh.keys[:, 0], atol=1e-4)
    assert torch.allclose(engine.cache.values[:, row, :, :held], fresh.values[:, 0], atol=1e-4)


def test_the_second_turn_equals_the_same_turn_after_a_fresh_reading():
    def second(warm: bool) -> np.ndarray:
        engine = Engine(tiny.parts(), 1, text_sampling=SHORT)
        talk = engine.open_conversation(find_persona("ada"))
        if warm:
            engine.warm_up(talk)
        out: list[StepOutput] = []
        for seed, text in enumerate(["Hello", "And you?"]):
            reply, out = engine.open_stream(talk, text, Affect(), seed), []
            while not reply.over:
                out += [o for _, o in engine.step()]
        return np.concatenate([o.pcm for o in out])

    assert np.allclose(second(True), second(False), atol=1e-5)


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
@pytest.mark.parametrize("lost_after", [1, 5, 12])
def test_a_lost_reply_goes_on_elsewhere(runtime: str, lost_after: int):
    """Another engine that is told what was delivered sends the rest: nothing twice, nothing missing."""
    parts, turn = tiny.parts(runtime), Asked("How are you today, my friend?", 2, 0)
    [(reply, whole)] = run(Engine(parts, 1, text_sampling=SHORT), [turn])
    assert len(whole) > 13
    had, tokens = whole[:lost_after], tuple(t for out in whole[:lost_after] for t in out.tokens)
    delivered = Resume(tokens, sum(len(out.text.split()) for out in had), whole[lost_after].pts_samples)
    engine = Engine(parts, 1, text_sampling=SHORT)
    again = engine.respond(engine.open_conversation(find_persona("ada")), [UserTurn(turn.text, Affect())],
                           ReplyOptions(turn.seed, resume=delivered))  # fmt: skip
    rest = []
    while engine.replies:
        rest += [output for _, output in engine.step()]
    assert again.tokens == reply.tokens
    assert [t for o in rest for t in o.tokens] == [t for o in whole[lost_after:] for t in o.tokens]
    assert [(o.text, o.pts_samples, o.last) for o in rest] == [(o.text, o.pts_samples, o.last) for o in whole[lost_after:]]
    for one, two in zip(rest, whole[lost_after:], strict=True):
        assert np.allclose(one.pcm, two.pcm, atol=PCM_TOLERANCE)
        assert np.allclose(one.motion, two.motion, atol=1e-5)
