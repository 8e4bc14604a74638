"""Company changes nothing: four responses in one engine equal four engines; cached turns equal a fresh reading."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.affect import Affect
from a2llm.engine import Engine, Response, TextSampling, everybody
from a2llm.engine import text as response_text
from a2llm.language.chat import find_persona
from a2llm.messages import ResponseOptions, Resume, StepOutput, Tool, UserTurn

SHORT = TextSampling(max_tokens=12)
PCM_TOLERANCE = 2e-4  # of a tiny voice with peaks of 0.016: its phase sums up the rounding of f0


@dataclass(frozen=True)
class Asked:
    """One turn: text, seed, the step at which it comes."""

    text: str
    seed: int
    at: int


TURNS = [Asked("Hello", 1, 0), Asked("How are you today, my friend?", 2, 3), Asked("word " * 150, 3, 5), Asked("Why", 4, 17)]


def run(engine: Engine, turns: list[Asked]) -> list[tuple[Response, list[StepOutput]]]:
    """Ask each turn in a conversation of its own when its step comes."""
    talks = [engine.open_conversation(find_persona("ada")) for _ in turns]
    responses: list[Response | None] = [None] * len(turns)
    out: list[list[StepOutput]] = [[] for _ in turns]
    step = 0
    while any(r is None or not r.over for r in responses):
        for index, turn in enumerate(turns):
            if turn.at == step:
                responses[index] = engine.open_stream(talks[index], turn.text, Affect(), turn.seed)
        for owner, output in engine.step(everybody(engine)):
            out[responses.index(owner)].append(output)
        step += 1
        assert step < 2000
    return list(zip([r for r in responses if r], out, strict=True))


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_four_together_equal_four_alone(runtime: str):
    parts = tiny.parts(runtime)
    together = run(Engine(parts, 4, text_sampling=SHORT), TURNS)
    for turn, (response, out) in zip(TURNS, together, strict=True):
        [(single, alone)] = run(Engine(parts, 1, text_sampling=SHORT), [Asked(turn.text, turn.seed, 0)])
        assert response.tokens == single.tokens
        assert response.talker.durations == single.talker.durations
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
        response = engine.open_stream(talk, text, Affect(), index)
        while not response.over:
            engine.step(everybody(engine))
    backbone, row = tiny.backbone(), talk.row
    assert int(engine.cache.lengths[row]) == len(talk.cached) > engine.parts.backbone.tokens_at_once
    fresh = backbone.new_cache(1, len(talk.cached))
    backbone.forward(torch.tensor([talk.cached]), fresh)
    held = len(talk.cached)
    assert torch.allclose(engine.cache.keys[:, row, :, :held], fresh.keys[:, 0, :, :held], atol=1e-4)
    assert torch.allclose(engine.cache.values[:, row, :, :held], fresh.values[:, 0, :, :held], atol=1e-4)


def test_the_second_turn_equals_the_same_turn_after_a_fresh_reading():
    def second(warm: bool) -> np.ndarray:
        engine = Engine(tiny.parts(), 1, text_sampling=SHORT)
        talk = engine.open_conversation(find_persona("ada"))
        if warm:
            engine.warm_up(talk)
        out: list[StepOutput] = []
        for seed, text in enumerate(["Hello", "And you?"]):
            response, out = engine.open_stream(talk, text, Affect(), seed), []
            while not response.over:
                out += [o for _, o in engine.step(everybody(engine))]
        return np.concatenate([o.pcm for o in out])

    assert np.allclose(second(True), second(False), atol=1e-5)


def asked(options: ResponseOptions, runtime: str = "openvino") -> tuple[Response, list[StepOutput]]:
    """To the same question, by an engine that never heard of it."""
    engine, out = Engine(tiny.parts(runtime), 1, text_sampling=SHORT), []
    response = engine.respond(engine.open_conversation(find_persona("ada")), [UserTurn("How are you today, my friend?", Affect())], options)
    while engine.responses:
        out += [output for _, output in engine.step(everybody(engine))]
    return response, out


def delivered(had: list[StepOutput], samples: int) -> Resume:
    return Resume(tuple(t for out in had for t in out.tokens), sum(len(out.text.split()) for out in had), samples)


def assert_goes_on(rest: list[StepOutput], whole: list[StepOutput]) -> None:
    """Nothing twice, nothing missing."""
    assert [(o.text, o.tokens, o.pts_samples, o.last) for o in rest] == [(o.text, o.tokens, o.pts_samples, o.last) for o in whole]
    for one, two in zip(rest, whole, strict=True):
        assert np.allclose(one.pcm, two.pcm, atol=PCM_TOLERANCE)
        assert np.allclose(one.motion, two.motion, atol=1e-5)


@pytest.mark.parametrize(("runtime", "at_once"), [("openvino", 256), ("openvino", 4), ("torch", 256)])
def test_a_lost_response_goes_on_elsewhere(runtime: str, at_once: int, monkeypatch: pytest.MonkeyPatch):
    """Another engine that is told what was delivered sends the rest, wherever it broke off."""
    monkeypatch.setattr(response_text, "RESUMED_AT_ONCE", at_once)
    response, whole = asked(ResponseOptions(2), runtime)
    assert len(whole) > 13
    for lost_after in [1, 12, len(whole) - 1]:
        resume = delivered(whole[:lost_after], whole[lost_after].pts_samples)
        again, rest = asked(ResponseOptions(2, affect=response.affect, resume=resume), runtime)
        assert_goes_on(rest, whole[lost_after:])
        assert (again.tokens, again.said, again.words) == (response.tokens, response.said, response.words)
    assert tuple(t for out in whole for t in out.tokens) == response.said.tokens


def test_a_lost_text_goes_on_elsewhere():
    response, whole = asked(ResponseOptions(2, audio=False))
    assert len(whole) > 3
    for lost_after in range(1, len(whole)):
        again, rest = asked(ResponseOptions(2, audio=False, resume=delivered(whole[:lost_after], 0)))
        assert_goes_on(rest, whole[lost_after:])
        assert (again.tokens, again.said) == (response.tokens, response.said)


def test_what_was_spoken_does_not_become_a_call():
    tools = (Tool("dim"),)
    response, whole = asked(ResponseOptions(2, tools=tools, tool_choice="auto"))
    assert response.text.call is None
    options = ResponseOptions(2, tools=tools, tool_choice="dim", resume=delivered(whole[:3], whole[3].pts_samples))
    assert_goes_on(asked(options)[1], whole[3:])


@pytest.mark.parametrize(("tokens", "why"), [((tiny.VOCABULARY,), "vocabulary"), ((1,) * (SHORT.max_tokens + 1), "tokens cannot go on")])
def test_tokens_that_nobody_drew_are_refused(tokens: tuple[int, ...], why: str):
    with pytest.raises(ValueError, match=why):
        asked(ResponseOptions(2, resume=Resume(tokens, 0, 0)))
