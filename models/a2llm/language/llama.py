"""The backbone in plain torch: a Llama-type decoder that hands out its hidden states.

The reference for every faster runtime, the GPU path, and what training adapts. Not a server: it
computes one batched step; who steps whom is the engine's business.
Shapes: B rows, T new tokens, D hidden, V vocabulary.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from a2llm.language.config import LlamaConfig
from a2llm.layers.kv_cache import KVCache, KVRows
from a2llm.layers.norm import RMSNorm
from a2llm.layers.rope import rope_angles, rotate


class Attention(nn.Module):
    """Grouped-query self-attention over the cache, or causal over the input when there is none."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        width, head = config.hidden_size, config.head_dim
        self.q_proj = nn.Linear(width, config.num_heads * head, bias=False)
        self.k_proj = nn.Linear(width, config.num_kv_heads * head, bias=False)
        self.v_proj = nn.Linear(width, config.num_kv_heads * head, bias=False)
        self.o_proj = nn.Linear(config.num_heads * head, width, bias=False)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], layer: int, held: KVRows | None, mask: Tensor | None) -> Tensor:
        """Attention of x [B, T, D] over itself, or over the cache that `held` names -> [B, T, D]."""
        batch, tokens, _ = x.shape
        split = (batch, tokens, -1, self.config.head_dim)
        query = rotate(self.q_proj(x).view(split).transpose(1, 2), *angles)  # [B, H, T, d]
        key = rotate(self.k_proj(x).view(split).transpose(1, 2), *angles)
        value = self.v_proj(x).view(split).transpose(1, 2)
        if held is None:
            out = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
        else:
            out = _attend(query, *held.extend(layer, key, value), mask)
        return self.o_proj(out.transpose(1, 2).reshape(batch, tokens, -1))


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Queries [B, H, T, d] over keys and values [B, G, S, d]; mask [B, 1, H / G * T, S].

    The heads that share keys stand in line as more tokens: GPU kernels that take a mask know no grouped heads, and what
    they fall back to would copy every key H / G times.
    """
    grouped = query.reshape(key.shape[0], key.shape[1], -1, key.shape[-1])  # [B, G, H / G * T, d]
    return F.scaled_dot_product_attention(grouped, key, value, attn_mask=mask).view(query.shape)


class MLP(nn.Module):
    """SwiGLU feed-forward (Shazeer 2020): x [..., D] -> [..., D]."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """Pre-norm attention and feed-forward, with the names of the Hugging Face checkpoints."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], layer: int, held: KVRows | None, mask: Tensor | None) -> Tensor:
        """One layer: x [B, T, D] -> [B, T, D]."""
        x = x + self.self_attn(self.input_layernorm(x), angles, layer, held, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """Token ids [B, T] -> hidden states [B, T, D] after the final norm."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.lm_head.weight = self.embed_tokens.weight

    @classmethod
    def from_folder(cls, folder: Path, dtype: torch.dtype = torch.float32) -> "Llama":
        """Loads any Llama-type folder (config.json + *.safetensors). Raises ValueError for a folder without weights."""
        with torch.device("meta"):
            model = cls(LlamaConfig.from_folder(folder))
        tensors: dict[str, Tensor] = {}
        for file in sorted(folder.glob("*.safetensors")):
            tensors.update(load_file(file))
        if not tensors:
            raise ValueError(f"{folder} holds no safetensors weights")
        state = {k.removeprefix("model."): v.to(dtype) for k, v in tensors.items()}
        if model.config.tie_embeddings:
            state["lm_head.weight"] = state["embed_tokens.weight"]
        model.load_state_dict(state, assign=True)
        return model.eval()

    def new_cache(self, rows: int, capacity: int) -> KVCache:
        c, weight = self.config, self.embed_tokens.weight
        return KVCache(c.num_layers, rows, c.num_kv_heads, capacity, c.head_dim, weight.device, weight.dtype)

    def forward(self, ids: Tensor, cache: KVCache | None = None, counts: Tensor | None = None) -> Tensor:
        """Run T new tokens per row; rows shorter than T are right-padded and say so in `counts` [B]."""
        batch, tokens = ids.shape
        if cache is None:
            x = self.run_layers(self.embed_tokens(ids), 0, len(self.layers))
            return self.norm(x)
        taken = torch.full((batch,), tokens) if counts is None else counts.cpu()
        cache.require(taken)
        hidden = self.read(ids, cache.next_rows(taken, tokens))
        cache.advance(taken)
        return hidden

    def read(self, ids: Tensor, held: KVRows, depths: Sequence[int] = ()) -> Tensor:
        """States [R, T, K * D] of new tokens [R, T] behind what R rows of a cache hold; zeros where there is no token.

        depths: numbers of layers behind which a state is taken, side by side; last stands the one after the final norm, always.
        """
        angles = rope_angles(held.places, self.config.head_dim, self.config.rope_theta)
        x = self.embed_tokens(ids)
        mask = held.mask(x.dtype).repeat(1, 1, self.config.num_heads // self.config.num_kv_heads, 1)
        states = list[Tensor]()
        for index, layer in enumerate(self.layers):
            x = layer(x, angles, index, held, mask)
            if index + 1 in depths[:-1]:
                states.append(x)
        return torch.cat((*states, self.norm(x)), -1).masked_fill(~held.taken[..., None], 0.0)

    def states(self, ids: Tensor, depths: Sequence[int]) -> Tensor:
        """`read` of whole sequences [B, T] without a cache: [B, T, K * D]."""
        x, states = self.embed_tokens(ids), list[Tensor]()
        for first, last in pairwise((0, *depths)):
            x = self.run_layers(x, first, last)
            states.append(x)
        return torch.cat((*states[:-1], self.norm(x)), -1)

    def run_layers(self, x: Tensor, first: int, last: int) -> Tensor:
        """Layers first..last-1 over whole sequences [B, T, D] that start at position 0, without a cache."""
        positions = torch.arange(x.shape[1], device=x.device).expand(x.shape[0], -1)
        angles = rope_angles(positions, self.config.head_dim, self.config.rope_theta)
        for index in range(first, last):
            x = self.layers[index](x, angles, index, None, None)
        return x

    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token logits [..., V] of hidden states [..., D]."""
        return self.lm_head(hidden)
