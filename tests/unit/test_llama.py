"""The torch reference of the backbone, its KV cache, and the folder it is read from."""

import json
from pathlib import Path

import pytest
import torch

from a2llm.language.config import LlamaConfig
from a2llm.language.llama import Llama
from a2llm.language.llama_folder import random_llama, save_llama
from a2llm.language.runtime import load_backbone

TINY = LlamaConfig(vocab_size=96, hidden_size=64, intermediate_size=96, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=16)


@pytest.fixture(scope="module")
def model() -> Llama:
    return random_llama(TINY).requires_grad_(False)


def draw_ids(rows: int, tokens: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(TINY.vocab_size, (rows, tokens), generator=torch.Generator().manual_seed(seed))


def test_hidden_states_are_causal(model: Llama):
    ids = draw_ids(1, 12)
    changed = ids.clone()
    changed[0, 8:] = 0
    before, after = model.forward(ids), model.forward(changed)
    torch.testing.assert_close(before[:, :8], after[:, :8])
    assert not torch.allclose(before[:, 8:], after[:, 8:])


def test_positions_matter(model: Llama):
    ids = torch.tensor([[5, 7, 5]])
    hidden = model.forward(ids)
    swapped = model.forward(torch.tensor([[7, 5, 5]]))
    assert not torch.allclose(hidden[:, 2], swapped[:, 2])


def test_logits_follow_the_tied_embedding(model: Llama):
    hidden = torch.randn(3, TINY.hidden_size)
    torch.testing.assert_close(model.logits(hidden), hidden @ model.embed_tokens.weight.T)


def test_an_untied_head_has_its_own_weight(tmp_path: Path):
    config = LlamaConfig(**{**vars(TINY), "tie_embeddings": False})
    save_llama(random_llama(config), tmp_path)
    model = Llama.from_folder(tmp_path)
    assert not model.config.tie_embeddings
    assert model.lm_head.weight is not model.embed_tokens.weight


def test_a_folder_keeps_the_model(model: Llama, tmp_path: Path):
    save_llama(model, tmp_path)
    again = Llama.from_folder(tmp_path)
    assert again.config == TINY
    ids = draw_ids(2, 6)
    torch.testing.assert_close(again.forward(ids), model.forward(ids), rtol=0, atol=0)


def test_random_backbones_repeat_by_seed():
    one, two, other = random_llama(TINY, 3), random_llama(TINY, 3), random_llama(TINY, 4)
    assert torch.equal(one.embed_tokens.weight, two.embed_tokens.weight)
    assert not torch.equal(one.embed_tokens.weight, other.embed_tokens.weight)


def test_another_architecture_is_refused(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mamba"}))
    with pytest.raises(ValueError, match="not a Llama-type"):
        LlamaConfig.from_folder(tmp_path)


def test_a_folder_without_weights_is_refused(model: Llama, tmp_path: Path):
    save_llama(model, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="no safetensors"):
        Llama.from_folder(tmp_path)


def test_query_heads_must_divide():
    with pytest.raises(ValueError, match="multiple"):
        LlamaConfig(num_heads=9, num_kv_heads=2)


def test_cache_refuses_what_does_not_fit(model: Llama):
    cache = model.new_cache(1, 4)
    model.forward(draw_ids(1, 4), cache)
    with pytest.raises(ValueError, match="full"):
        model.forward(draw_ids(1, 1), cache)
    with pytest.raises(ValueError, match="shorter"):
        cache.truncate(0, 5)


def test_gpu_path_in_bfloat16_stays_close(model: Llama, tmp_path: Path):
    """The GPU's precision and wrapper, on CPU: float32 out, the same interface, a few percent off."""
    save_llama(model, tmp_path)
    half = load_backbone(tmp_path, device="cpu", runtime="torch", dtype=torch.bfloat16)
    ids = draw_ids(2, 10)
    cache = half.new_cache(2, 16)
    hidden, expected = half.forward(ids, cache), model.forward(ids)
    assert hidden.dtype == half.logits(hidden[:, -1]).dtype == torch.float32
    assert cache.keys.dtype == torch.bfloat16
    assert (hidden - expected).norm() < 0.03 * expected.norm()
