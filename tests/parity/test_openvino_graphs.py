"""Graphs built node by node against the torch modules that they stand for, each alone: head, durations, spectra, decoders; paged memory."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.audio_codec.openvino_decoder import SpectralHead, VoiceDecoder
from a2llm.language.config import LlamaConfig
from a2llm.language.int8_weights import Int8Weights, build
from a2llm.language.llama_folder import random_llama, save_llama
from a2llm.language.openvino_backbone import OpenVINOBackbone, PagedKVCache
from a2llm.language.openvino_graph import head_graph
from a2llm.layers.openvino_nodes import PAGE_SIZE
from a2llm.layers.openvino_step import Step
from a2llm.layers.state import StreamState
from a2llm.motion_codec.openvino_decoder import MotionDecoder
from a2llm.talker.openvino_graph import TalkerGraphs

TINY = LlamaConfig(vocab_size=160, hidden_size=64, intermediate_size=96, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=16)


def seeded(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, out = tmp_path_factory.mktemp("llama"), tmp_path_factory.mktemp("int8")
    save_llama(random_llama(TINY), folder)
    build(folder, None, 1.0, out)
    return out


def test_the_head_is_the_product_with_its_int8_weights(int8: Path) -> None:
    weights, hidden = Int8Weights.from_folder(int8), seeded(3, TINY.hidden_size).numpy()
    step = Step(head_graph(weights), threads=1)
    step.run({"hidden": hidden})
    quantized, scale = weights.head
    np.testing.assert_allclose(step.result("logits"), hidden @ (quantized * scale).T, atol=1e-3)


def test_the_backbone_says_the_same_for_a_token_with_and_without_neighbours(int8: Path) -> None:
    backbone = OpenVINOBackbone.from_folder(int8, threads=1)
    cache, alone = backbone.new_cache(2, PAGE_SIZE + 4), backbone.new_cache(1, PAGE_SIZE + 4)
    ids = torch.randint(TINY.vocab_size, (2, PAGE_SIZE + 2), generator=torch.Generator().manual_seed(1))
    together = backbone.forward(ids, cache)
    torch.testing.assert_close(backbone.forward(ids[:1], alone)[0], together[0], rtol=1e-4, atol=1e-4)


def test_a_paged_row_owns_its_pages() -> None:
    cache = PagedKVCache(TINY, rows=2, capacity=PAGE_SIZE + 1)
    assert (cache.rows, cache.pages_per_row, cache.pages.shape[2]) == (2, 2, 4)
    assert cache.token_bytes == TINY.num_layers * 2 * TINY.num_kv_heads * TINY.head_dim * 4
    cache.advance(torch.tensor([PAGE_SIZE, 3]))
    tables = cache.tables(np.array([0, 1]), np.array([1, 2]))
    assert tables["positions"].tolist() == [PAGE_SIZE, 3, 4]
    assert (tables["past_lens"].tolist(), tables["subsequence_begins"].tolist()) == ([PAGE_SIZE, 3], [0, 1, 3])
    assert tables["block_indices"].tolist() == [0, 1, 2], "two pages of the first row, one of the second"
    assert (tables["block_indices_begins"].tolist(), int(tables["max_context_len"])) == ([0, 2, 3], PAGE_SIZE + 1)


def test_a_paged_row_is_cut_copied_and_never_overfilled() -> None:
    cache, other = PagedKVCache(TINY, 1, 40), PagedKVCache(TINY, 2, 8)
    cache.advance(torch.tensor([39]))
    cache.require(np.array([1]))
    with pytest.raises(ValueError, match="KV cache is full: 41 > 40"):
        cache.require(np.array([2]))
    with pytest.raises(ValueError, match="only be cut to a shorter length"):
        cache.truncate(0, 40)
    with pytest.raises(ValueError, match="39 positions does not fit into 8"):
        other.copy_row(1, cache, 0)
    cache.pages.fill(7.0)
    other.copy_row(1, cache, 0, length=5)
    assert other.lengths.tolist() == [0, 5] and other.pages[:, :, 1].min() == 7.0 and other.pages[:, :, 0].max() == 0.0
    cache.truncate(0, 2)
    assert cache.lengths.tolist() == [2]


def test_durations_of_the_graph_are_those_of_the_module() -> None:
    talker, generator = tiny.talker(), torch.Generator().manual_seed(0)
    phones = torch.randint(tiny.TALKER.phones, (4, 11), generator=generator)
    past = torch.randint(24, (4, 4), generator=generator)
    style, meaning = torch.rand(4, tiny.TALKER.style_size, generator=generator), torch.randn(4, tiny.HIDDEN, generator=generator)
    meaning[1] = 0.0  # a pause has no word
    step = Step(TalkerGraphs(talker).durations(), threads=1)
    step.run({"phones": phones.numpy(), "past": past.numpy(), "style": style.numpy(), "meaning": meaning.numpy()})
    np.testing.assert_allclose(step.result("logits"), talker.durations(phones, past, style, meaning).detach().numpy(), atol=1e-4)


def test_spectra_are_gain_noise_and_a_free_part() -> None:
    frequencies, weight, bias = 3, seeded(4, 15).numpy(), np.linspace(-1, 1, 15, dtype=np.float32)
    hidden = seeded(2, 4).numpy()
    made = SpectralHead(weight, bias, threads=1)(hidden)
    gain, turn, noise, free, phase = np.split(hidden @ weight + bias, 5, axis=1)
    np.testing.assert_allclose(made.gain, np.exp(gain) * np.exp(1j * np.pi * np.tanh(turn)), rtol=1e-3)
    np.testing.assert_allclose(made.noise, np.exp(noise), rtol=1e-3)
    np.testing.assert_allclose(made.free, np.exp(free) * np.exp(1j * phase), rtol=1e-3)
    assert made.gain.shape == (2, frequencies)


def test_a_voice_frame_of_the_graph_is_the_reference_s() -> None:
    codec, latents, voices = deepcopy(tiny.audio_codec()), seeded(5, tiny.CODEC.latent), torch.tensor([0, 1, 1, 0, 1])
    codec.voice_mean, codec.voice_pitch = seeded(2, tiny.CODEC.width), torch.tensor([5.3, 4.6])
    made, wanted = VoiceDecoder(codec, threads=1)(latents, voices), codec.synthesise(latents[:, None], voices)
    torch.testing.assert_close(made.hidden, wanted.hidden, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(made.f0_hz, wanted.f0_hz, rtol=1e-4, atol=1e-4)


def test_a_motion_frame_of_the_graph_is_the_reference_s_and_its_state_moves_on() -> None:
    codec, state = tiny.motion_codec(), StreamState()
    decoder = MotionDecoder(codec, threads=1)
    codes = torch.randint(tiny.MOTION.size, (2, tiny.MOTION.levels, 3), generator=torch.Generator().manual_seed(0))
    frames = torch.cat([decoder(codes[..., t], state) for t in range(3)], 1)
    wanted = codec.decode(codes)
    inside = (wanted > 0) & (wanted < 1)  # the reference limits blendshapes, the graph leaves that to its caller
    torch.testing.assert_close(frames[inside], wanted[inside], rtol=1e-4, atol=1e-4)
    assert inside.float().mean() > 0.2 and len(state.buffers) > 0
