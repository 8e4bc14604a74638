"""The talker frame by frame equals the whole sequence, and OpenVINO's codes equal torch's."""

import pytest
import torch
from support.models import tiny

from a2llm.talker.config import SamplingConfig, TalkerConfig
from a2llm.talker.model import FrameBatch
from a2llm.talker.openvino_talker import OpenVINOTalker, page_tables, pages_per_row
from a2llm.talker.trunk import Trunk

SAMPLING = SamplingConfig()
FRAMES = 100


@pytest.mark.parametrize("frames", [1, 19, 20, 21, 70])
def test_trunk_steps_equal_the_whole(frames: int):
    """Also beyond the window of 20 frames."""
    trunk = tiny.talker().trunk
    x = torch.randn(3, frames, tiny.TALKER.width, generator=torch.Generator().manual_seed(0))
    state, rows = trunk.start(3), torch.arange(3)
    stepped = torch.stack([trunk.step(x[:, t], state, rows) for t in range(frames)], 1)
    assert torch.allclose(stepped, trunk(x), atol=1e-5)


def test_rows_begin_pause_and_restart_on_their_own():
    trunk: Trunk = tiny.talker().trunk
    x = torch.randn(2, 60, tiny.TALKER.width, generator=torch.Generator().manual_seed(0))
    state, made, taken = trunk.start(2), ([], []), [0, 0]
    for t in range(90):
        rows = [r for r in range(2) if (t % 3 or r == 0) and taken[r] < 60]
        if rows:
            out = trunk.step(torch.stack([x[r, taken[r]] for r in rows]), state, torch.tensor(rows))
            for row, value in zip(rows, out, strict=True):
                made[row].append(value)
                taken[row] += 1
    for row in range(2):
        assert torch.allclose(torch.stack(made[row])[None], trunk(x[row : row + 1]), atol=1e-5)
    state.position[0] = 0
    assert torch.allclose(trunk.step(x[:1, 0], state, torch.tensor([0])), trunk(x[:1, :1])[:, 0], atol=1e-5)


def draw(frame: int, rows: list[int], config: TalkerConfig) -> tuple[FrameBatch, torch.Tensor]:
    """Conditioning of one frame, each row's own."""
    parts = [torch.Generator().manual_seed(1000 * row + frame) for row in rows]
    frames = [tiny.draw_frames(1, g, config) for g in parts]
    uniforms = [torch.rand(1, config.audio_levels + config.motion_levels, generator=g) for g in parts]
    return FrameBatch(*(torch.cat(x) for x in zip(*(vars(f).values() for f in frames), strict=True))), torch.cat(uniforms)


@pytest.mark.parametrize("config", [tiny.TALKER, tiny.MEANING, TalkerConfig(layers=2, window=40, phones=40, audio_levels=3, audio_size=64)])
def test_openvino_draws_torchs_codes(config: TalkerConfig):
    """Beyond the window, with rows that pause."""
    reference, sampling = tiny.talker(config), SamplingConfig(audio_levels=config.audio_levels)
    fast = OpenVINOTalker(reference)
    states = reference.start(4), fast.start(4)
    for frame in range(FRAMES):
        rows = [0, 1, 2, 3] if frame % 3 else [2, 0]
        frames, uniforms = draw(frame, rows, config)
        want = reference.step(frames, states[0], torch.tensor(rows), uniforms, sampling)
        made = fast.step(frames, states[1], torch.tensor(rows), uniforms, sampling)
        assert torch.equal(made.audio_codes, want.audio_codes)
        assert torch.equal(made.motion_codes, want.motion_codes)
        assert torch.allclose(made.audio_latent, want.audio_latent, atol=1e-4)


def test_openvino_with_fewer_levels_and_other_temperatures():
    sampling = SamplingConfig((0.0, 1.5), 0.0, min_p=0.2, motion_min_p=0.01, audio_levels=2)
    states = tiny.talker().start(2), tiny.fast_talker().start(2)
    for frame in range(10):
        frames, uniforms = draw(frame, [0, 1], tiny.TALKER)
        one = tiny.talker().step(frames, states[0], torch.arange(2), uniforms, sampling)
        two = tiny.fast_talker().step(frames, states[1], torch.arange(2), uniforms, sampling)
        assert torch.equal(one.audio_codes, two.audio_codes)
        assert torch.equal(one.motion_codes, two.motion_codes)


@pytest.mark.parametrize("config", [tiny.TALKER, TalkerConfig(layers=2, window=40, phones=40)])
def test_a_batch_of_four_is_four_singles_to_the_bit(config: TalkerConfig):
    fast = OpenVINOTalker(tiny.talker(config))
    together, alone = fast.start(4), [fast.start(1) for _ in range(4)]
    for frame in range(50):
        rows = [0, 1, 2, 3] if frame % 4 else [3, 1]
        frames, uniforms = draw(frame, rows, config)
        made = fast.step(frames, together, torch.tensor(rows), uniforms, SAMPLING)
        for place, row in enumerate(rows):
            one = FrameBatch(*(x[place : place + 1] for x in vars(frames).values()))
            single = fast.step(one, alone[row], torch.tensor([0]), uniforms[place : place + 1], SAMPLING)
            assert torch.equal(single.audio_latent[0], made.audio_latent[place])
            assert torch.equal(single.motion_codes[0], made.motion_codes[place])


def test_openvino_rows_restart():
    fast = tiny.fast_talker()
    fresh, used = fast.start(2), fast.start(2)
    for frame in range(40):
        fast.step(*_at(draw(frame, [0, 1], tiny.TALKER), used, [0, 1]))
    fast.restart(used, 1)
    for frame in range(30):
        one, two = (fast.step(*_at(draw(frame, [1], tiny.TALKER), state, [1])) for state in (fresh, used))
        assert torch.equal(one.audio_latent, two.audio_latent)


def _at(drawn: tuple[FrameBatch, torch.Tensor], state: object, rows: list[int]) -> tuple:
    return drawn[0], state, torch.tensor(rows), drawn[1], SAMPLING


def test_durations_agree():
    generator = torch.Generator().manual_seed(0)
    phones, past = torch.randint(tiny.TALKER.phones, (5, 11), generator=generator), torch.randint(24, (5, 4), generator=generator)
    hidden = torch.randn(5, tiny.HIDDEN, generator=generator) * torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0])[:, None]
    inputs = phones, past, torch.rand(5, 5, generator=generator), hidden
    made = tiny.fast_talker().durations(*inputs)
    assert torch.allclose(made, tiny.talker().durations(*inputs), atol=1e-5)
    singles = [tiny.fast_talker().durations(*(x[i : i + 1] for x in inputs)) for i in range(5)]
    assert torch.equal(torch.cat(singles), made)


def test_page_tables_of_a_ring():
    """Window 40: three pages per row. At frame 100 the pages of frames 64 and 96 are 2 and 0, the oldest is 1."""
    assert pages_per_row(40) == 3
    position = torch.tensor([5, 100]).numpy()
    tables = page_tables(position, torch.tensor([0, 1]).numpy(), 3)
    assert tables["past_lens"].tolist() == [5, 68]
    assert tables["block_indices"].tolist() == [0, 1, 2, 4, 5, 3]
    assert tables["block_indices_begins"].tolist() == [0, 3, 6]
    assert tables["max_context_len"] == 69
