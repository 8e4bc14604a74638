"""Key/value cache of a batch of streams that stand at different positions. One row is one slot."""

import torch
from torch import Tensor

from a2llm.layers.device import upload


class KVCache:
    """Keys and values [L, B, H, capacity + 1, head_dim] and each row's length [B], which is kept on the CPU.

    Rows are independent: a row can be truncated, copied from another cache or restarted while its
    neighbours go on, which is what continuous batching and prefix reuse need. The place behind the last
    position is spare: what a pass computes for padding and for rows that take no part goes there.
    """

    def __init__(
        self,
        layers: int,
        rows: int,
        heads: int,
        capacity: int,
        head_dim: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        shape = (layers, rows, heads, capacity + 1, head_dim)
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.lengths = torch.zeros(rows, dtype=torch.long)
        self.capacity = capacity

    @property
    def rows(self) -> int:
        return self.lengths.shape[0]

    @property
    def token_bytes(self) -> int:
        """Memory of one position of one row."""
        return 2 * self.keys[:, 0, :, 0].nbytes

    def require(self, counts: Tensor) -> None:
        """Raise ValueError when so many more tokens [B] do not fit."""
        reach = self.lengths + counts
        if self.rows and int(reach.max()) > self.capacity:
            raise ValueError(f"KV cache is full: {int(reach.max())} > {self.capacity} positions")

    def places(self, counts: Tensor, tokens: int) -> Tensor:
        """Positions [B, T] of the next `counts` [B] tokens of every row; the spare one behind them."""
        offsets = torch.arange(tokens)
        return torch.where(offsets < counts[:, None], self.lengths[:, None] + offsets, self.capacity)

    def next_rows(self, counts: Tensor, tokens: int, rows: Tensor | None = None) -> "KVRows":
        """For a pass in which each of the rows [R] (None: all) takes the next of `counts` [B] tokens, T at most."""
        places, ends = self.places(counts, tokens), self.lengths + counts
        if rows is not None:
            places, ends = places[rows], ends[rows]
        device = self.keys.device
        index = None if rows is None else upload(rows, device)
        return KVRows(self.keys, self.values, upload(places, device), max(1, int(ends.max())), index)

    def advance(self, counts: Tensor) -> None:
        """Counts counts [B] more positions of every row as held."""
        self.lengths += counts

    def truncate(self, row: int, length: int) -> None:
        """Forgets everything of a row beyond `length` positions. Raises ValueError for more than the row holds."""
        if not 0 <= length <= int(self.lengths[row]):
            raise ValueError("a row can only be cut to a shorter length")
        self.lengths[row] = length

    def copy_row(self, row: int, source: "KVCache", source_row: int, length: int | None = None) -> None:
        """Takes over another row's content, or its first `length` positions (prefix reuse). Raises ValueError if they do not fit."""
        length = int(source.lengths[source_row]) if length is None else length
        if length > self.capacity:
            raise ValueError(f"a row of {length} positions does not fit into {self.capacity}")
        self.keys[:, row, :, :length] = source.keys[:, source_row, :, :length]
        self.values[:, row, :, :length] = source.values[:, source_row, :, :length]
        self.lengths[row] = length


class KVRows:
    """Reads and writes of one pass over a cache: R rows, T new tokens each.

    places: [R, T] on the cache's device, where the tokens go. reach: so many positions attention looks at. rows: [R] on the
    cache's device; None: every row in its order, which copies nothing.
    """

    def __init__(self, keys: Tensor, values: Tensor, places: Tensor, reach: int, rows: Tensor | None = None) -> None:
        self._keys, self._values, self._rows = keys, values, rows
        self.places, self.reach = places, reach
        self._index = (torch.arange(len(places), device=places.device) if rows is None else rows)[:, None]

    @property
    def taken(self) -> Tensor:
        """Mask [R, T] of the places that hold a token."""
        return self.places < self._keys.shape[3] - 1

    def mask(self, dtype: torch.dtype) -> Tensor:
        """[R, 1, T, reach], to be added to what attention scores: 0 up to each token itself, -inf behind."""
        seen = torch.arange(self.reach, device=self.places.device) <= self.places[..., None]
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, -torch.inf)[:, None]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store new keys and values [R, H, T, head_dim]; what the rows hold now, each [R, H, reach, head_dim]."""
        return self._put(self._keys[layer], keys), self._put(self._values[layer], values)

    def _put(self, store: Tensor, new: Tensor) -> Tensor:
        store[self._index, :, self.places] = new.transpose(1, 2).to(store.dtype)
        held = store[:, :, : self.reach]
        return (held if self._rows is None else held[self._rows]).to(new.dtype)
