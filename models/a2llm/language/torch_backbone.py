"""The backbone on a GPU: `Llama` behind the common interface. On a CPU the same code runs, as the reference of the faster one.

Rows that read several tokens are gathered and read together; rows that read one token, which is what speaking streams do,
go through a static step over all rows of their cache. A row that takes no token is in neither. Nothing here waits for
the GPU. Shapes: B rows of a cache, T new tokens, K depths, D hidden, V vocabulary.
"""

from collections.abc import Sequence
from functools import partial
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from a2llm.language.llama import Llama
from a2llm.layers.device import upload
from a2llm.layers.kv_cache import KVCache, KVRows
from a2llm.layers.static_step import StaticStep, memory_pool

SHORTEST_REACH = 256  # positions; the next sizes of the static step's attention are twice as far each


class StaticDecoder:
    """One token for any rows of one cache, in a pass over all rows: the others read token 0 into their spare place.

    Shapes are the same whoever takes part, so a row's result does not depend on it either. Attention looks as far as the
    longest row has got, rounded up to one of a few sizes. There is one step for each, and all are made at once: on a GPU
    that takes a moment, which is better spent in a warm-up than in somebody's sentence.
    """

    def __init__(self, model: Llama, cache: KVCache, depths: tuple[int, ...]) -> None:
        device, rows, spare = cache.keys.device, cache.rows, cache.capacity
        self._given = torch.stack((torch.zeros(rows, dtype=torch.long), torch.full((rows,), spare))).to(device)  # ids, places
        self._states = torch.zeros(rows, len(depths) * model.config.hidden_size, device=device)
        pool, self._steps = memory_pool(device), dict[int, StaticStep]()
        for reach in _reaches(spare):
            held = KVRows(cache.keys, cache.values, self._given[1, :, None], reach)
            self._steps[reach] = StaticStep(partial(_decode, model, self._given[0], held, depths, self._states), device, pool)

    def __call__(self, ids: Tensor, places: Tensor, longest: int) -> Tensor:
        """ids and places [B] on the CPU -> states [B, K * D] that the next call overwrites, zeros where nothing is read.

        longest: positions that the longest row that takes part holds with its new token.
        """
        self._given.copy_(upload(torch.stack((ids, places)), self._given.device), non_blocking=True)
        self._steps[min(reach for reach in self._steps if reach >= longest)]()
        return self._states


def _reaches(capacity: int) -> list[int]:
    """Sizes of attention for a cache of so many positions."""
    sizes = [SHORTEST_REACH]
    while sizes[-1] < capacity:
        sizes.append(2 * sizes[-1])
    return [*sizes[:-1], capacity]


def _decode(model: Llama, ids: Tensor, held: KVRows, depths: tuple[int, ...], states: Tensor) -> None:
    states.copy_(model.read(ids[:, None], held, depths)[:, 0])


class TorchBackbone:
    """Token ids [B, T] -> states [B, T, K * D] at the depths, shares of the layers: float32 whatever the weights are, no gradients."""

    tokens_at_once = 256

    def __init__(self, model: Llama, depths: Sequence[float] = (1.0,)) -> None:
        self.model = model.requires_grad_(False).eval()
        self.config = model.config
        self._depths = model.config.layers_at(depths)
        self._decoders = WeakKeyDictionary[KVCache, StaticDecoder]()  # of caches that have been read token by token

    def new_cache(self, rows: int, capacity: int) -> KVCache:
        return self.model.new_cache(rows, capacity)

    @torch.inference_mode()
    def forward(self, ids: Tensor, cache: KVCache | None = None, counts: Tensor | None = None) -> Tensor:
        """Run T new tokens per row; a row may take fewer (or none), as `counts` [B] says. All on the CPU.

        States [B, T, K * D] on the model's device; zeros where a row takes no token. Raises ValueError when the cache
        is full.
        """
        if cache is None:
            return self.model.states(ids.to(self._weight.device), self._depths).float()
        batch, tokens = ids.shape
        taken = torch.full((batch,), tokens) if counts is None else counts.cpu()
        cache.require(taken)
        states = torch.zeros(batch, tokens, len(self._depths) * self.config.hidden_size, device=self._weight.device)
        if bool((taken == 1).any()):
            states[:, 0] = self._decode(ids[:, 0], cache, taken == 1)
        if bool((taken > 1).any()):
            self._prefill(ids, cache, taken, states)
        cache.advance(taken)
        return states

    @torch.inference_mode()
    def logits(self, states: Tensor) -> Tensor:
        """Next-token logits [..., V] of states [..., K * D], whose last one counts."""
        hidden = states[..., -self.config.hidden_size :]
        return self.model.logits(hidden.to(self._weight.device, self._weight.dtype)).float()

    def _decode(self, ids: Tensor, cache: KVCache, taking: Tensor) -> Tensor:
        """One token for the rows that are `taking` [B] -> [B, K * D]."""
        decoder = self._decoders.get(cache)
        if decoder is None:
            decoder = self._decoders[cache] = StaticDecoder(self.model, cache, self._depths)
        return decoder(ids, cache.places(taking.long(), 1)[:, 0], int(cache.lengths[taking].max()) + 1)

    def _prefill(self, ids: Tensor, cache: KVCache, taken: Tensor, states: Tensor) -> None:
        """All tokens of the rows that take several, into states [B, T, K * D]."""
        rows = torch.nonzero(taken > 1)[:, 0]
        tokens = int(taken.max())
        held = cache.next_rows(taken, tokens, rows)
        device = self._weight.device
        read = self.model.read(upload(ids[rows, :tokens], device), held, self._depths)
        states[upload(rows, device), :tokens] = read.float()

    @property
    def _weight(self) -> Tensor:
        return self.model.embed_tokens.weight
