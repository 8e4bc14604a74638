"""The talker's own rules; that its runtimes and its stream agree is shown under parity/."""

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.affect import Affect
from a2llm.talker.config import DURATION_AFTER, DURATION_CLASSES, SamplingConfig, TalkerConfig
from a2llm.talker.model import FrameBatch, Talker
from a2llm.talker.openvino_talker import OpenVINOTalker
from a2llm.talker.phones import PhoneStream
from a2llm.talker.runtime import TorchTalker, fast_talker
from a2llm.talker.stream import TalkerStream, gather_frames, time_phones
from a2llm.talker.style import Style

SAMPLING = SamplingConfig()
ROW = torch.tensor([0])


def draw(rows: int, seed: int = 0) -> tuple[FrameBatch, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tiny.draw_frames(rows, generator), torch.rand(rows, 14, generator=generator)


def test_a_frame_has_all_its_codes():
    frames, uniforms = draw(3)
    made = tiny.talker().step(frames, tiny.talker().start(3), torch.arange(3), uniforms, SAMPLING)
    assert made.audio_codes.shape == (3, 8)
    assert made.audio_latent.shape == (3, tiny.TALKER.audio_latent)
    assert made.motion_codes.shape == (3, 6)
    assert made.audio_codes.max() < tiny.TALKER.audio_size
    assert made.motion_codes.max() < tiny.TALKER.motion_size


@pytest.mark.parametrize("levels", [1, 4])
def test_fewer_levels_keep_the_coarse_ones(levels: int):
    frames, uniforms = draw(2)
    rows = torch.arange(2)
    full = tiny.talker().step(frames, tiny.talker().start(2), rows, uniforms, SAMPLING)
    some = tiny.talker().step(frames, tiny.talker().start(2), rows, uniforms, SamplingConfig(audio_levels=levels))
    assert torch.equal(some.audio_codes, full.audio_codes[:, :levels])


def test_the_own_past_and_every_condition_matter():
    frames, uniforms = draw(1)
    talker, state = tiny.talker(), tiny.talker().start(1)
    first, second = (talker.step(frames, state, ROW, uniforms, SAMPLING).audio_latent for _ in range(2))
    assert not torch.equal(first, second)
    talker.restart(state, 0)
    assert torch.equal(talker.step(frames, state, ROW, uniforms, SAMPLING).audio_latent, first)
    for name, other in vars(draw(1, seed=5)[0]).items():
        changed = FrameBatch(**{**vars(frames), name: other})
        assert not torch.equal(talker.step(changed, talker.start(1), ROW, uniforms, SAMPLING).audio_latent, first), name


def test_a_meaning_of_zeros_is_none():
    """Zeros are silence of the backbone, not a hidden state of zeros that the norm would turn into a bias."""
    frames, _ = draw(1)
    silent = FrameBatch(frames.phones, frames.counts, torch.zeros(1, tiny.HIDDEN), frames.style)
    made = tiny.talker().condition(silent, torch.zeros(1, 16), torch.zeros(1, 8))
    deaf = Talker(tiny.TALKER)
    deaf.load_state_dict(tiny.talker().state_dict())
    torch.nn.init.normal_(deaf.meaning.weight)
    assert torch.allclose(deaf.condition(silent, torch.zeros(1, 16), torch.zeros(1, 8)), made)


def test_width_must_fit_the_heads():
    with pytest.raises(ValueError, match="heads"):
        TalkerConfig(width=250)


def test_the_runtime_is_chosen_by_device():
    assert isinstance(fast_talker(tiny.talker(), "cpu"), OpenVINOTalker)
    wrapped = TorchTalker(tiny.talker(), "cpu")
    frames, uniforms = draw(2)
    rows = torch.arange(2)
    state = wrapped.start(2)
    wrapped.restart(state, 1)
    made = wrapped.step(frames, state, rows, uniforms, SAMPLING)
    assert torch.equal(made.audio_codes, tiny.talker().step(frames, tiny.talker().start(2), rows, uniforms, SAMPLING).audio_codes)
    assert wrapped.durations(*durations_input()).shape == (3, DURATION_CLASSES)


def durations_input() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    phones = torch.randint(tiny.TALKER.phones, (3, 11), generator=generator)
    past = torch.randint(DURATION_CLASSES, (3, 4), generator=generator)
    return phones, past, torch.rand(3, 5, generator=generator), torch.randn(3, tiny.HIDDEN, generator=generator)


def stream(seed: int = 0) -> TalkerStream:
    timing, frames = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2))
    return TalkerStream(PhoneStream(tiny.g2p(), tiny.phones()), Style(Affect("joy", 0.5)), tiny.TALKER, timing, frames)


def push(mine: TalkerStream, words: list[str]) -> TalkerStream:
    for word in words:
        mine.push_word(word, np.full(tiny.HIDDEN, mine.words.words, np.float32))
    return mine


WORDS = "I would love to hear more about it. Really, tell me!".split()


def time_for_a_frame(mine: TalkerStream) -> bool:
    time_phones(tiny.talker(), [mine], SAMPLING)
    return mine.ready


def speak(mine: TalkerStream, pushes: list[list[str]]) -> list[list[int]]:
    """Inputs of all frames, timing and asking for frames as soon as possible after every push."""
    seen = []
    for place, words in enumerate([*pushes, []]):
        push(mine, words)
        if place == len(pushes):
            mine.end_text()
        while time_for_a_frame(mine):
            phones, counts, hidden = mine.next_inputs()
            _, uniforms = gather_frames([mine])
            seen.append([*phones, *counts, hidden[0], *uniforms[0].tolist()])
    return seen


def test_the_pace_of_the_words_changes_nothing():
    at_once, one_by_one = stream(), stream()
    assert speak(at_once, [WORDS]) == speak(one_by_one, [[word] for word in WORDS])
    assert at_once.durations == one_by_one.durations
    assert at_once.frame == -(-sum(at_once.durations) // 2)


def test_frames_leave_before_the_text_has_ended():
    mine = push(stream(), WORDS[:6])
    assert time_for_a_frame(mine)
    assert 0 < len(mine.durations) <= len(mine.phones.phones) - DURATION_AFTER
    assert not (mine.waiting or mine.short or mine.finished)
    assert mine.words_begun(0) == 0
    assert 1 <= mine.words_begun(sum(mine.durations)) <= 6


def test_streams_are_timed_together_as_alone():
    together, alone = [push(stream(s), WORDS[: 4 + s]) for s in range(3)], [push(stream(s), WORDS[: 4 + s]) for s in range(3)]
    for mine in (*together, *alone):
        mine.end_text()
    while any(mine.ready or mine.untimed() for mine in together):
        time_phones(tiny.fast_talker(), together, SAMPLING)
        gather_frames([mine for mine in together if mine.ready])
    for mine in alone:
        while not mine.finished:
            time_phones(tiny.fast_talker(), [mine], SAMPLING)
            gather_frames([mine])
    assert [m.durations for m in together] == [m.durations for m in alone]


def test_a_response_lasts_at_least_a_frame():
    mine = push(stream(), ["Oh."])
    mine.end_text()
    while mine.untimed():
        assert not mine.finished
        mine.time(0)
    assert (sum(mine.durations), mine.finished) == (2, False)
    gather_frames([mine])
    assert mine.finished
