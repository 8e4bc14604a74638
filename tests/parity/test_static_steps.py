"""The GPU path: static steps over all rows equal the plain model, whoever takes part; called, replayed from a tape as a
CUDA graph would be, and on a GPU where there is one."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.models import tiny
from support.models.tape import Tape
from torch import Tensor

from a2llm.affect import Affect
from a2llm.engine import Engine, Parts, TextSampling, everybody
from a2llm.language import torch_backbone
from a2llm.language.chat import find_persona
from a2llm.language.config import LlamaConfig
from a2llm.language.llama import Llama
from a2llm.language.llama_folder import random_llama
from a2llm.language.torch_backbone import TorchBackbone
from a2llm.layers.kv_cache import KVCache
from a2llm.layers.static_step import StaticStep, memory_pool
from a2llm.talker import torch_talker
from a2llm.talker.config import SamplingConfig
from a2llm.talker.model import FrameBatch
from a2llm.talker.torch_talker import TorchTalker

LLAMA = LlamaConfig(vocab_size=160, hidden_size=64, intermediate_size=96, num_layers=2, num_heads=6, num_kv_heads=2, head_dim=16)
ROWS, CAPACITY = 5, 50
ATOL = 1e-4
GPU = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"))


@pytest.fixture(params=["called", "replayed", GPU])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Devices and ways in which static steps run; attention in sizes that a short conversation grows out of."""
    monkeypatch.setattr(torch_backbone, "SHORTEST_REACH", 8)
    if request.param == "replayed":
        monkeypatch.setattr(torch_backbone, "StaticStep", Tape)
        monkeypatch.setattr(torch_talker, "StaticStep", Tape)
    return "cuda" if request.param == "cuda" else "cpu"


class Conversations:
    """Rows of a cache, each with the tokens that it should hold, in TorchBackbone and in the plain model side by side."""

    def __init__(self, device: str) -> None:
        self.plain: Llama = random_llama(LLAMA).requires_grad_(False)
        self.fast = TorchBackbone(deepcopy(self.plain).to(device))
        self.caches: tuple[KVCache, KVCache] = self.plain.new_cache(ROWS, CAPACITY), self.fast.new_cache(ROWS, CAPACITY)
        self.seen: list[list[int]] = [[] for _ in range(ROWS)]
        self.rng = torch.Generator().manual_seed(0)

    def read(self, *counts: int) -> None:
        """Read so many new tokens in each row: both ways, and every row afresh, give the same."""
        ids = torch.randint(LLAMA.vocab_size, (ROWS, max(counts)), generator=self.rng)
        taken = torch.tensor(counts)
        expected, made = self.plain.forward(ids, self.caches[0], taken), self.fast.forward(ids, self.caches[1], taken).cpu()
        close(made, expected)
        for row, count in enumerate(counts):
            self.seen[row] += ids[row, :count].tolist()
            if count:
                close(made[row, :count], self.plain.forward(torch.tensor([self.seen[row]]))[0, -count:])
            assert not made[row, count:].any()
        for cache in self.caches:
            assert cache.lengths.tolist() == [len(seen) for seen in self.seen]

    def truncate(self, row: int, length: int) -> None:
        for cache in self.caches:
            cache.truncate(row, length)
        self.seen[row] = self.seen[row][:length]

    def copy(self, row: int, source: int, length: int) -> None:
        for cache in self.caches:
            cache.copy_row(row, cache, source, length)
        self.seen[row] = self.seen[source][:length]


def close(one: Tensor, two: Tensor) -> None:
    torch.testing.assert_close(one, two, rtol=ATOL, atol=ATOL)


def test_rows_of_every_kind(device: str):
    """Prompts and single tokens in one call, rows that pause, are cut, begin again or take over from others."""
    talks = Conversations(device)
    talks.read(1, 0, 0, 0, 0)
    talks.read(7, 1, 0, 20, 3)
    talks.read(1, 1, 0, 1, 1)  # one row crosses the first size of attention, another the second
    for _ in range(4):
        talks.read(1, 0, 1, 1, 1)
    talks.truncate(3, 6)
    talks.truncate(0, 0)
    talks.read(1, 1, 1, 1, 0)
    talks.copy(2, 4, 5)
    talks.read(0, 1, 1, 1, 4)
    talks.read(9, 0, 1, 0, 1)
    talks.read(1, 1, 1, 1, 1)


def test_at_every_length(device: str):
    """Token by token over the borders of the sizes of attention, 8, 16 and 32."""
    talks = Conversations(device)
    talks.read(6, 0, 2, 0, 0)
    for _ in range(12):
        talks.read(1, 0, 1, 0, 0)
    talks.read(13, 0, 0, 0, 0)
    talks.read(1, 0, 0, 0, 0)
    talks.read(1, 0, 0, 0, 0)


def test_up_to_the_last_position(device: str):
    """A full row stands beside rows that go on, and nothing that it holds is touched."""
    talks = Conversations(device)
    talks.read(CAPACITY - 1, CAPACITY - 2, 0, 4, 0)
    talks.read(1, 2, 0, 1, 0)
    held = talks.caches[1].keys[:, :2, :, :CAPACITY].clone()
    for _ in range(3):
        talks.read(0, 0, 1, 1, 1)
    assert torch.equal(talks.caches[1].keys[:, :2, :, :CAPACITY], held)
    with pytest.raises(ValueError, match="full"):
        talks.fast.forward(torch.zeros(ROWS, 1, dtype=torch.long), talks.caches[1])
    talks.truncate(0, CAPACITY - 1)
    talks.read(1, 0, 1, 0, 1)


def test_company_changes_no_bit(device: str):
    """The step of a row that decodes is the same whoever takes part."""
    model = TorchBackbone(random_llama(LLAMA).to(device))
    ids = torch.randint(LLAMA.vocab_size, (ROWS, 12), generator=torch.Generator().manual_seed(1))
    alone, together = (model.new_cache(ROWS, CAPACITY) for _ in range(2))
    only = torch.tensor([0, 0, 1, 0, 0])
    for t in range(12):
        one, all_ = model.forward(ids[:, t : t + 1], alone, only), model.forward(ids[:, t : t + 1], together)
        assert torch.equal(one[2], all_[2])


def test_caches_come_and_go(device: str):
    """Each has steps of its own, and takes them with it."""
    model = TorchBackbone(random_llama(LLAMA).to(device))
    for rows in (2, 3):
        cache = model.new_cache(rows, CAPACITY)
        hidden = [model.forward(torch.full((rows, 1), token), cache) for token in (5, 7)]
        close(torch.cat(hidden, 1), model.forward(torch.tensor([[5, 7]] * rows)))
    del cache
    assert not len(model._decoders)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_bfloat16_on_the_gpu():
    plain = random_llama(LLAMA).requires_grad_(False)
    half = TorchBackbone(deepcopy(plain).to("cuda", torch.bfloat16))
    ids = torch.randint(LLAMA.vocab_size, (ROWS, 30), generator=torch.Generator().manual_seed(1))
    cache = half.new_cache(ROWS, CAPACITY)
    made = torch.cat([half.forward(part, cache).cpu() for part in ids.split([20, *[1] * 10], 1)], 1)
    expected = plain.forward(ids)
    assert made.dtype == torch.float32
    assert cache.keys.dtype == torch.bfloat16
    assert (made - expected).norm() < 0.03 * expected.norm()


def draw(frame: int, rows: list[int]) -> tuple[FrameBatch, Tensor]:
    generator = torch.Generator().manual_seed(frame)
    return tiny.draw_frames(len(rows), generator), torch.rand(len(rows), 14, generator=generator)


def test_every_row_of_the_talker_at_once(device: str):
    """Beyond the window of 20 frames, with rows that pause and begin again, and levels that change on the way."""
    plain, fast = tiny.talker(), TorchTalker(deepcopy(tiny.talker()), device)
    states, equal = (plain.start(4), fast.start(4)), []
    for frame in range(70):
        rows = [[2, 0], [0, 1, 2, 3], [1, 3, 0]][frame % 3]
        (frames, uniforms), sampling = draw(frame, rows), SamplingConfig(audio_levels=3 if 30 <= frame < 45 else 8)
        want = plain.step(frames, states[0], torch.tensor(rows), uniforms, sampling)
        made = fast.step(frames, states[1], torch.tensor(rows), uniforms, sampling)
        codes = [torch.cat((x.audio_codes, x.motion_codes), 1) for x in (made, want)]
        assert codes[0].shape == codes[1].shape
        equal.append((codes[0] == codes[1]).float().mean())
        if frame in (25, 50):
            plain.restart(states[0], 1)
            fast.restart(states[1], 1)
        if device == "cuda":  # a code that rounding turned must not make all that follow differ
            states[1].state.audio.copy_(states[0].audio)
            states[1].state.motion.copy_(states[0].motion)
        else:
            torch.testing.assert_close(made.audio_latent, want.audio_latent, rtol=ATOL, atol=ATOL)
    assert torch.stack(equal).mean() >= (0.99 if device == "cuda" else 1.0)
    assert torch.equal(states[0].trunk.position, states[1].state.trunk.position.cpu())


def test_rows_that_do_not_speak_keep_everything(device: str):
    fast = TorchTalker(deepcopy(tiny.talker()), device)
    state = fast.start(3)
    for frame in range(25):
        frames, uniforms = draw(frame, [0, 1, 2])
        fast.step(frames, state, torch.arange(3), uniforms, SamplingConfig())
    before = deepcopy(state.state)
    frames, uniforms = draw(25, [1])
    fast.step(frames, state, torch.tensor([1]), uniforms, SamplingConfig())
    for name in ("audio", "motion"):
        changed = (getattr(state.state, name) != getattr(before, name)).any(-1)
        assert changed.tolist() == [False, True, False]
    assert (state.state.trunk.position - before.trunk.position).tolist() == [0, 1, 0]
    ahead = (before.trunk.position % tiny.TALKER.window)[[0, 2]].tolist()  # where rows 0 and 2 will write next
    seen = torch.ones(2, tiny.TALKER.window, dtype=torch.bool)
    seen[[0, 1], ahead] = False
    for row, keep in zip((0, 2), seen, strict=True):
        assert torch.equal(state.state.trunk.ring[:, :, row][..., keep, :], before.trunk.ring[:, :, row][..., keep, :])


def speak(parts: Parts) -> list[tuple[list[int], np.ndarray]]:
    """Tokens and sound of two short responses, the second of which comes while the first is spoken."""
    engine = Engine(parts, 3, text_sampling=TextSampling(max_tokens=8))
    talks = [engine.open_conversation(find_persona("ada")) for _ in range(2)]
    responses, pcm = [engine.open_stream(talks[0], "Hello", Affect(), 1)], dict[int, list[np.ndarray]]()
    for step in range(1000):
        if step == 4:
            responses.append(engine.open_stream(talks[1], "How are you?", Affect(), 2))
        for response, output in engine.step(everybody(engine)):
            pcm.setdefault(id(response), []).append(output.pcm)
        if step > 4 and not engine.responses:
            break
    return [(response.tokens, np.concatenate(pcm[id(response)])) for response in responses]


def test_an_engine_on_static_steps(device: str):
    """Says what the engine on the CPU's runtimes says."""
    model, talker = deepcopy(tiny.backbone().model).to(device), deepcopy(tiny.talker())
    made = speak(replace(tiny.parts("torch"), backbone=TorchBackbone(model), talker=TorchTalker(talker, device)))
    for (tokens, pcm), (same, sound) in zip(made, speak(tiny.parts()), strict=True):
        assert tokens == same
        if device == "cpu":
            np.testing.assert_allclose(pcm, sound, atol=2e-4)
        assert len(pcm) > 2000


def test_a_step_works_on_the_tensors_it_was_made_with(device: str):
    given, made = torch.zeros(3, device=device), torch.zeros(3, device=device)

    def double() -> None:
        made.copy_(2 * given)

    step = StaticStep(double, device, memory_pool(device))
    given += 4
    step()
    assert made.tolist() == [8, 8, 8]


def test_a_tape_refuses_what_a_graph_could_not_hold():
    x = torch.zeros(3)
    for function in (lambda: x.add_(float(x.sum())), lambda: x.mul_(torch.tensor([1.0, 2.0, 3.0])), lambda: x[x > 0].sum()):
        with pytest.raises(AssertionError):
            Tape(function, "cpu")
