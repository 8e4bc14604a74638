"""Key/value cache of a batch of streams that stand at different positions. One row is one slot."""

import torch
from torch import Tensor


class KVCache:
    """Keys and values [L, B, H, capacity, head_dim] and each row's length [B].

    Rows are independent: a row can be truncated, copied from another cache or restarted while its
    neighbours go on, which is what continuous batching and prefix reuse need.
    """

    def __init__(self, layers: int, rows: int, heads: int, capacity: int, head_dim: int,
                 device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        shape = (layers, rows, heads, capacity, head_dim)
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self.capacity = capacity

    @property
    def rows(self) -> int:
        return self.lengths.shape[0]

    @property
    def token_bytes(self) -> int:
        """Memory of one position of one row."""
        return 2 * self.keys.numel() * self.keys.element_size() // (self.rows * self.capacity)

    def positions(self, tokens: int) -> Tensor:
        """Positions [B, T] that the next T tokens of every row will take."""
        offsets = torch.arange(tokens, device=self.lengths.device)
        return self.lengths[:, None] + offsets

    def require(self, tokens: int) -> None:
        """Raise ValueError when T more tokens do not fit."""
        if self.rows and int(self.lengths.max()) + tokens > self.capacity:
            raise ValueError(f"KV cache is full: {int(self.lengths.max())} + {tokens} > {self.capacity} positions")

    def write(self, layer: int, positions: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store new keys and values [B, H, T, head_dim] at positions [B, T]."""
        rows = torch.arange(positions.shape[0], device=positions.device)[:, None]
        self.keys[layer][rows, :, positions] = keys.transpose(1, 2).to(self.keys.dtype)
        self.values[layer][rows, :, positions] = values.transpose(1, 2).to(self.values.dtype)

    def advance(self, counts: Tensor) -> None:
        self.lengths += counts.to(self.lengths.device)

    def truncate(self, row: int, length: int) -> None:
        """Forget everything of a row beyond `length` positions."""
        if not 0 <= length <= int(self.lengths[row]):
            raise ValueError("a row can only be cut to a shorter length")
        self.lengths[row] = length

    def copy_row(self, row: int, source: "KVCache", source_row: int, length: int | None = None) -> None:
        """Take over another row's content, or its first `length` positions (prefix reuse)."""
        length = int(source.lengths[source_row]) if length is None else length
        self.keys[:, row, :, :length] = source.keys[:, source_row, :, :length]
        self.values[:, row, :, :length] = source.values[:, source_row, :, :length]
        self.lengths[row] = length
