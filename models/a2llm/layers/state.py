"""Streaming state: the buffers that layers carry from one step to the next, one row per stream.

It holds tensors only. What a buffer means belongs to the layer that wrote it.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class StreamState:
    """Named buffers, each [B, ...]; a row is one stream's slot in the batch."""

    buffers: dict[str, Tensor] = field(default_factory=dict)

    @property
    def batch(self) -> int:
        """Rows held, 0 while nothing has been written."""
        return next((int(buffer.shape[0]) for buffer in self.buffers.values()), 0)

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

    def clone(self) -> "StreamState":
        return StreamState({name: buffer.clone() for name, buffer in self.buffers.items()})


def join_states(states: list[StreamState]) -> StreamState:
    """One batch out of several states with the same buffers. Raises ValueError for an empty list."""
    if not states:
        raise ValueError("no states to join")
    names = states[0].buffers
    return StreamState({name: torch.cat([state.buffers[name] for state in states]) for name in names})
