"""Streaming state: the buffers that layers carry from one step to the next, one row per stream.

It holds tensors only. What a buffer means belongs to the layer that wrote it.
"""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class StreamState:
    """Named buffers, each [B, ...]; a row is one stream's slot in the batch."""

    buffers: dict[str, Tensor] = field(default_factory=dict)

    def take(self, rows: Tensor) -> "StreamState":
        """Copy of the given rows [R] as a state of its own."""
        return StreamState({name: buffer.index_select(0, rows) for name, buffer in self.buffers.items()})

    def put(self, rows: Tensor, other: "StreamState") -> None:
        """Write the rows of `other` (batch R) at places `rows` [R]. Raises KeyError when the buffers differ."""
        for name, buffer in self.buffers.items():
            buffer[rows] = other.buffers[name]

    def reset(self, rows: Tensor) -> None:
        """Zero the rows [R]: their next step is a stream's first."""
        for buffer in self.buffers.values():
            buffer[rows] = 0
