"""Every runtime of the backbone against the others, and each against itself: batched, cached, cut, copied."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from a2llm.language.config import LlamaConfig
from a2llm.language.int8_weights import quantize_rows
from a2llm.language.llama import Llama
from a2llm.language.llama_folder import random_llama, save_llama
from a2llm.language.runtime import Adapter, Backbone, fingerprint, load_backbone
from a2llm.layers.lora import LoRALinear, add_lora, lora_state

TINY = LlamaConfig(vocab_size=160, hidden_size=64, intermediate_size=96, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=16)
LONG = 70  # crosses two page borders of the paged cache
ATOL = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("llama")
    save_llama(random_llama(TINY), path)
    return path


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A2_HOME", str(tmp_path_factory.mktemp("a2home")))
        yield


@pytest.fixture(scope="module", params=["torch", "openvino"])
def backbone(request: pytest.FixtureRequest, folder: Path) -> Backbone:
    return load_backbone(folder, device="cpu", runtime=request.param, threads=1)


def draw_ids(rows: int, tokens: int, seed: int = 0) -> Tensor:
    return torch.randint(TINY.vocab_size, (rows, tokens), generator=torch.Generator().manual_seed(seed))


def close(one: Tensor, two: Tensor) -> None:
    torch.testing.assert_close(one, two, rtol=ATOL, atol=ATOL)


def test_cached_steps_equal_one_pass(backbone: Backbone):
    ids = draw_ids(1, LONG)
    cache = backbone.new_cache(1, LONG)
    parts = [backbone.forward(part, cache) for part in ids.split([30, 1, 1, 33, 5], dim=1)]
    close(torch.cat(parts, 1), backbone.forward(ids))
    assert cache.lengths.tolist() == [LONG]


def test_ragged_batch_equals_singles(backbone: Backbone):
    """Four rows of different lengths, stepped together for three calls, one row pausing."""
    calls = [[40, 3, 17, 33], [1, 1, 0, 1], [1, 5, 2, 1]]
    ids = draw_ids(4, LONG)
    together, alone = backbone.new_cache(4, LONG), [backbone.new_cache(1, LONG) for _ in range(4)]
    for counts in map(torch.tensor, calls):
        part = gather(ids, together.lengths, counts)
        hidden = backbone.forward(part, together, counts)
        logits = backbone.logits(hidden)
        for row, count in enumerate(counts.tolist()):
            if count:
                single = backbone.forward(part[row : row + 1, :count], alone[row])
                close(hidden[row, :count], single[0])
                close(logits[row, :count], backbone.logits(single)[0])
    assert together.lengths.tolist() == [42, 9, 19, 35]


def gather(ids: Tensor, starts: Tensor, counts: Tensor) -> Tensor:
    """The next `counts` [B] tokens of every row, right-padded with zeros: [B, max count]."""
    out = torch.zeros(len(ids), int(counts.max()), dtype=torch.long)
    for row, (start, count) in enumerate(zip(starts.tolist(), counts.tolist(), strict=True)):
        out[row, :count] = ids[row, start : start + count]
    return out


def test_truncate_and_go_on_equals_fresh(backbone: Backbone):
    ids, other = draw_ids(2, LONG), draw_ids(2, 8, seed=1)
    cache = backbone.new_cache(2, LONG + 8)
    backbone.forward(ids, cache)
    cache.truncate(0, 35)
    hidden = backbone.forward(other, cache)
    close(hidden[:1], backbone.forward(torch.cat((ids[:1, :35], other[:1]), 1))[:, -8:])
    close(hidden[1:], backbone.forward(torch.cat((ids[1:], other[1:]), 1))[:, -8:])


def test_copied_row_goes_on_like_its_source(backbone: Backbone):
    ids, more = draw_ids(1, 45), draw_ids(1, 4, seed=1)
    prefix, cache = backbone.new_cache(1, 48), backbone.new_cache(3, 64)
    backbone.forward(ids, prefix)
    cache.copy_row(2, prefix, 0)
    hidden = backbone.forward(more.expand(3, -1), cache, torch.tensor([0, 4, 4]))
    close(hidden[2], backbone.forward(torch.cat((ids, more), 1))[0, -4:])
    close(hidden[1], backbone.forward(more)[0])
    assert prefix.lengths.tolist() == [45]
    assert cache.lengths.tolist() == [0, 4, 49]


def test_caches_take_turns(backbone: Backbone):
    ids = draw_ids(2, 12)
    caches = [backbone.new_cache(1, 12) for _ in range(2)]
    parts = [[backbone.forward(ids[r : r + 1, t : t + 4], caches[r]) for r in range(2)] for t in (0, 4, 8)]
    for row in range(2):
        close(torch.cat([part[row] for part in parts], 1), backbone.forward(ids[row : row + 1]))


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_states_at_depths_stand_side_by_side(folder: Path, runtime: str):
    """Cached, token by token and in batches, the last one as a backbone hands out that has no other."""
    plain, deep = (load_backbone(folder, device="cpu", runtime=runtime, threads=1, depths=depths) for depths in ((1.0,), (0.5, 1.0)))
    ids, cache = draw_ids(2, 40), deep.new_cache(2, 40)
    states = torch.cat([deep.forward(part, cache) for part in ids.split([30, 1, 9], 1)], 1)
    assert states.shape == (2, 40, 2 * TINY.hidden_size)
    close(states[..., TINY.hidden_size :], plain.forward(ids))
    close(states, deep.forward(ids))
    close(deep.logits(states), plain.logits(states[..., TINY.hidden_size :]))


def test_depths_mean_the_same_in_every_runtime(folder: Path):
    reference, fast = (load_backbone(folder, device="cpu", runtime=name, threads=1, depths=(0.5, 1.0)) for name in ("torch", "openvino"))
    ids = draw_ids(1, 20)
    first = reference.forward(ids)[..., : TINY.hidden_size]
    model = Llama.from_folder(folder)
    close(first, model.run_layers(model.embed_tokens(ids), 0, 1).detach())
    assert (fast.forward(ids)[..., : TINY.hidden_size] - first).norm() < 0.03 * first.norm()


@pytest.mark.parametrize("depths", [(), (0.5,), (1.0, 0.5), (0.0, 1.0), (0.4, 0.5, 1.0)])
def test_depths_rise_to_the_last_layer(depths: tuple[float, ...]):
    with pytest.raises(ValueError, match="depths"):
        TINY.layers_at(depths)
    assert LlamaConfig().layers_at((0.5, 2 / 3, 1.0)) == (15, 20, 30)


def test_limits(backbone: Backbone):
    cache = backbone.new_cache(2, 40)
    backbone.forward(draw_ids(2, 40), cache)
    with pytest.raises(ValueError, match="full"):
        backbone.forward(draw_ids(2, 1), cache)
    with pytest.raises(ValueError, match="shorter"):
        cache.truncate(0, 41)
    assert cache.rows == 2


def test_int8_stays_close_to_float32(folder: Path):
    reference, fast = (load_backbone(folder, device="cpu", runtime=name, threads=1) for name in ("torch", "openvino"))
    ids = draw_ids(3, LONG)
    expected, hidden = reference.forward(ids), fast.forward(ids)
    error = (hidden - expected).norm(dim=-1) / expected.norm(dim=-1)
    assert error.max() < 0.03
    agreement = reference.logits(expected).argmax(-1) == fast.logits(hidden).argmax(-1)
    assert agreement.float().mean() > 0.9


def test_adapter_is_folded_into_both(folder: Path):
    adapter = tiny_adapter()
    plain = load_backbone(folder, device="cpu", runtime="openvino", threads=1)
    reference, fast = (load_backbone(folder, adapter, "cpu", name, threads=1) for name in ("torch", "openvino"))
    ids = draw_ids(1, 20)
    expected, hidden = reference.forward(ids), fast.forward(ids)
    assert (plain.forward(ids) - expected).norm() > 0.1 * expected.norm()
    assert (hidden - expected).norm() < 0.03 * expected.norm()
    assert fingerprint(folder, adapter) != fingerprint(folder, None)


def tiny_adapter() -> Adapter:
    model = random_llama(TINY)
    add_lora(model, ("q_proj", "v_proj", "up_proj"), rank=4, alpha=8)
    generator = torch.Generator().manual_seed(2)
    for module in model.modules():
        if isinstance(module, LoRALinear):
            module.up.data = 0.2 * torch.randn(module.up.shape, generator=generator)
    return Adapter(lora_state(model), alpha=8)


def test_untied_head_reaches_the_fast_runtime(tmp_path: Path):
    save_llama(random_llama(LlamaConfig(**{**vars(TINY), "tie_embeddings": False})), tmp_path)
    reference, fast = (load_backbone(tmp_path, device="cpu", runtime=name, threads=1) for name in ("torch", "openvino"))
    hidden = torch.randn(2, TINY.hidden_size)
    expected = reference.logits(hidden)
    assert (fast.logits(hidden) - expected).norm() < 0.02 * expected.norm()


def test_ids_outside_the_vocabulary_are_refused(folder: Path):
    fast = load_backbone(folder, device="cpu", threads=1)
    with pytest.raises(ValueError, match="token ids"):
        fast.forward(torch.tensor([[TINY.vocab_size]]))


def test_no_such_runtime(folder: Path):
    with pytest.raises(ValueError, match="no runtime"):
        load_backbone(folder, device="cpu", runtime="abacus")


def test_rows_of_zeros_survive_quantizing():
    weight = torch.randn(4, 8).numpy()
    weight[2] = 0
    quantized, scale = quantize_rows(weight)
    assert abs(quantized * scale - weight).max() <= scale.max() / 2 + 1e-7
    assert not quantized[2].any()
