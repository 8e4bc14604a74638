"""The backbone on CPU cores: `Llama`'s interface over the int8 OpenVINO graphs.

Rows of a batch are packed before they run, so a row that takes no token in a call costs nothing and padding is never
computed. Not a scheduler: who steps when is the engine's business. Shapes: B rows, T new tokens, K depths, D hidden,
V vocabulary.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from a2llm.language.config import LlamaConfig
from a2llm.language.int8_weights import Int8Weights
from a2llm.language.openvino_graph import body_graph, head_graph
from a2llm.layers.openvino_nodes import PAGE_SIZE
from a2llm.layers.openvino_step import Step
from a2llm.layers.threads import THREADS

Ints = NDArray[np.int64]


class PagedKVCache:
    """Keys and values in pages [L, 2, pages, G, 32, d]; row r owns the pages from r * pages_per_row on.

    Same use as `layers.kv_cache.KVCache`. All of it is written when it is made: memory that the system hands out at the first write
    costs a slot's first answer up to a quarter of a second.
    """

    def __init__(self, config: LlamaConfig, rows: int, capacity: int) -> None:
        self.pages_per_row = -(-capacity // PAGE_SIZE)
        shape = (rows * self.pages_per_row, config.num_kv_heads, PAGE_SIZE, config.head_dim)
        self.pages = np.empty((config.num_layers, 2, *shape), np.float32)
        self.pages.fill(0.0)
        self.lengths = torch.zeros(rows, dtype=torch.long)
        self.capacity = capacity

    @property
    def rows(self) -> int:
        return self.lengths.shape[0]

    @property
    def token_bytes(self) -> int:
        """Memory of one position of one row."""
        return self.pages.nbytes // (self.pages.shape[2] * PAGE_SIZE)

    def require(self, counts: Ints) -> None:
        """Raise ValueError when so many more tokens [B] do not fit."""
        reach = self.lengths.numpy() + counts
        if self.rows and reach.max() > self.capacity:
            raise ValueError(f"KV cache is full: {reach.max()} > {self.capacity} positions")

    def advance(self, counts: Tensor) -> None:
        """Counts counts [B] more positions of every row as held."""
        self.lengths += counts

    def truncate(self, row: int, length: int) -> None:
        """Forgets everything of a row beyond `length` positions. Raises ValueError for more than the row holds."""
        if not 0 <= length <= int(self.lengths[row]):
            raise ValueError("a row can only be cut to a shorter length")
        self.lengths[row] = length

    def copy_row(self, row: int, source: "PagedKVCache", source_row: int, length: int | None = None) -> None:
        """Takes over another row's content, or its first `length` positions (prefix reuse). Raises ValueError if they do not fit."""
        length = int(source.lengths[source_row]) if length is None else length
        if length > self.capacity:
            raise ValueError(f"a row of {length} positions does not fit into {self.capacity}")
        used, to, start = -(-length // PAGE_SIZE), row * self.pages_per_row, source_row * source.pages_per_row
        self.pages[:, :, to : to + used] = source.pages[:, :, start : start + used]
        self.lengths[row] = length

    def tables(self, rows: Ints, counts: Ints) -> dict[str, NDArray[np.generic]]:
        """Tables that the graph needs for R rows that take counts [R] tokens each."""
        past = self.lengths.numpy()[rows]
        pages = -(-(past + counts) // PAGE_SIZE)
        return {
            "positions": np.concatenate([np.arange(p, p + c) for p, c in zip(past, counts, strict=True)]),
            "past_lens": past.astype(np.int32),
            "subsequence_begins": _begins(counts),
            "block_indices": np.concatenate([np.arange(n) + r * self.pages_per_row for r, n in zip(rows, pages, strict=True)]).astype(
                np.int32
            ),
            "block_indices_begins": _begins(pages),
            "max_context_len": np.array((past + counts).max(), np.int32),
        }


class OpenVINOBackbone:
    """Token ids [B, T] -> states [B, T, K * D] at the depths, shares of the layers, on CPU."""

    tokens_at_once = 48  # a tenth of a second on two cores; time grows with them, so that more in one pass save nothing

    def __init__(self, weights: Int8Weights, threads: int = THREADS, depths: Sequence[float] = (1.0,)) -> None:
        self.config = weights.config
        layers = weights.config.layers_at(depths)
        self._width = len(layers) * weights.config.hidden_size
        self._body, self._head = Step(body_graph(weights, layers), threads), Step(head_graph(weights), threads)
        self._bound: PagedKVCache | None = None
        self.logits(self.forward(torch.zeros(1, 2, dtype=torch.long))[:, -1])  # the first call packs the weights

    @classmethod
    def from_folder(cls, folder: Path, threads: int = THREADS, depths: Sequence[float] = (1.0,)) -> "OpenVINOBackbone":
        """Opens a folder that `int8_weights.build` made."""
        return cls(Int8Weights.from_folder(folder), threads, depths)

    def new_cache(self, rows: int, capacity: int) -> PagedKVCache:
        return PagedKVCache(self.config, rows, capacity)

    def forward(self, ids: Tensor, cache: PagedKVCache | None = None, counts: Tensor | None = None) -> Tensor:
        """Run T new tokens per row; a row may take fewer (or none), as `counts` [B] says.

        States [B, T, K * D] float32; zeros where a row takes no token. Raises ValueError when the cache is full or
        an id is not in the vocabulary.
        """
        batch, tokens = ids.shape
        cache = self.new_cache(batch, tokens) if cache is None else cache
        taken = torch.full((batch,), tokens) if counts is None else counts.cpu()
        cache.require(taken.numpy())
        valid = torch.arange(tokens) < taken[:, None]  # [B, T]
        states = torch.zeros(batch, tokens, self._width)
        if valid.any():
            states[valid] = torch.from_numpy(self._run(ids.cpu()[valid].numpy(), cache, taken.numpy()))
        cache.advance(taken)
        return states

    def logits(self, states: Tensor) -> Tensor:
        """Next-token logits [..., V] of states [..., K * D], whose last one counts."""
        hidden = states[..., -self.config.hidden_size :]
        self._head.run({"hidden": hidden.detach().reshape(-1, hidden.shape[-1]).float().numpy()})
        logits = torch.from_numpy(self._head.result("logits").copy())
        return logits.view(*hidden.shape[:-1], -1)

    def _run(self, ids: Ints, cache: PagedKVCache, counts: Ints) -> NDArray[np.float32]:
        """Packed ids [N] -> states [N, K * D], a view that the next call overwrites."""
        if ids.min() < 0 or ids.max() >= self.config.vocab_size:
            raise ValueError(f"token ids must lie in [0, {self.config.vocab_size})")
        self._bind(cache)
        rows = np.flatnonzero(counts)
        self._body.run({"ids": ids, **cache.tables(rows, counts[rows])})
        return self._body.result("states")

    def _bind(self, cache: PagedKVCache) -> None:
        """Point the graph at a cache's pages; it writes them in place."""
        if self._bound is cache:
            return
        for layer, (keys, values) in enumerate(cache.pages):
            self._body.share(f"key_cache.{layer}", keys)
            self._body.share(f"value_cache.{layer}", values)
        self._bound = cache


def _begins(counts: Ints) -> NDArray[np.int32]:
    """Lengths [R] -> offsets [R + 1]."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
