"""Low-rank adapters: what they add, what they freeze, and that folding them in changes nothing else."""

import pytest
import torch

from a2llm.language.config import LlamaConfig
from a2llm.language.llama import Llama
from a2llm.language.llama_folder import random_llama
from a2llm.layers.lora import LoRALinear, add_lora, lora_state, merge_lora

TINY = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=48, num_layers=2, num_heads=2, num_kv_heads=1, head_dim=16)
TARGETS = ("q_proj", "down_proj")
IDS = torch.tensor([[1, 5, 9, 2], [4, 4, 3, 60]])


@pytest.fixture
def adapted() -> Llama:
    """A tiny backbone whose adapters are no longer zero."""
    model = random_llama(TINY)
    add_lora(model, TARGETS, rank=4, alpha=8)
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, LoRALinear):
            module.up.data = 0.1 * torch.randn(module.up.shape, generator=generator)
    return model


def test_a_new_adapter_changes_nothing():
    model = random_llama(TINY)
    before = model.forward(IDS)
    add_lora(model, TARGETS, rank=4, alpha=8)
    torch.testing.assert_close(model.forward(IDS), before, rtol=0, atol=0)


def test_only_the_adapter_trains():
    model = random_llama(TINY)
    parameters = add_lora(model, TARGETS, rank=4, alpha=8)
    assert len(parameters) == 2 * len(TARGETS) * TINY.num_layers
    model.forward(IDS).square().sum().backward()
    trained = {id(p) for p in model.parameters() if p.grad is not None}
    assert trained == {id(p) for p in parameters}


def test_merged_equals_adapted(adapted: Llama):
    state = lora_state(adapted)
    plain = random_llama(TINY)
    assert not torch.allclose(plain.forward(IDS), adapted.forward(IDS), atol=1e-3)
    merge_lora(plain, state, alpha=8)
    torch.testing.assert_close(plain.forward(IDS), adapted.forward(IDS), rtol=1e-5, atol=1e-5)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="no linear layer"):
        add_lora(random_llama(TINY), ("nothing",), rank=4, alpha=8)
    state = {"norm.down": torch.zeros(2, 32), "norm.up": torch.zeros(32, 2)}
    with pytest.raises(ValueError, match="not a linear layer"):
        merge_lora(random_llama(TINY), state, alpha=8)
