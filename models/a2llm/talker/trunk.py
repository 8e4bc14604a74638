"""The causal transformer on the frame clock, with a sliding window of attention.

Training sees whole sequences under a band mask; streaming keeps the last `window` frames of keys and
values in a ring, so that memory and step time stay bounded however long the response is.
"""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2llm.layers.rope import rope_angles, rotate
from a2llm.talker.config import TalkerConfig

ROPE_THETA = 10_000.0


@dataclass
class TrunkState:
    """Ring of keys and values [L, 2, B, H, window, d] and frames seen by each row [B]."""

    ring: Tensor
    position: Tensor


class TrunkLayer(nn.Module):
    """Pre-norm attention and GELU feed-forward."""

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm_attention, self.norm_feed = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def project(self, x: Tensor, angles: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries and keys, and values, each [B, H, T, d]."""
        batch, frames, _ = x.shape
        qkv = self.qkv(self.norm_attention(x)).view(batch, frames, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return rotate(qkv[0], *angles), rotate(qkv[1], *angles), qkv[2]

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Add what attention [B, H, T, d] found, then the feed-forward."""
        x = x + self.out(attended.transpose(1, 2).reshape(x.shape))
        return x + self.down(F.gelu(self.up(self.norm_feed(x)), approximate="tanh"))


class Trunk(nn.Module):
    """[B, T, D] -> [B, T, D]."""

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(TrunkLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def _layers(self) -> list[TrunkLayer]:
        return cast(list[TrunkLayer], list(self.layers))

    def forward(self, x: Tensor) -> Tensor:
        """Whole sequences from position 0: x [B, T, width] -> [B, T, width]."""
        frames = x.shape[1]
        positions = torch.arange(frames, device=x.device)
        distance = positions[:, None] - positions
        mask = (distance >= 0) & (distance < self.config.window)
        angles = rope_angles(positions[None], self.config.head_dim, ROPE_THETA)
        banded = frames > self.config.window
        for layer in self._layers():
            query, key, value = layer.project(x, angles)
            x = layer.finish(x, F.scaled_dot_product_attention(query, key, value, attn_mask=mask if banded else None, is_causal=not banded))
        return self.norm(x)

    def start(self, rows: int) -> TrunkState:
        c, device = self.config, self.norm.weight.device
        ring = torch.zeros(c.layers, 2, rows, c.heads, c.window, c.head_dim, device=device)
        return TrunkState(ring, torch.zeros(rows, dtype=torch.long, device=device))

    def step(self, x: Tensor, state: TrunkState, rows: Tensor) -> Tensor:
        """One frame [B, D] for the given rows [B] of the state, each at its own position."""
        out = self._frame(x, state.position[rows], state.ring, rows)
        state.position[rows] += 1
        return out

    def step_all(self, x: Tensor, state: TrunkState, active: Tensor) -> Tensor:
        """One frame [rows, D] for all rows, in shapes that never change; those that are not `active` [rows] stay where they
        are: what their ring takes lies where their next frame will."""
        out = self._frame(x, state.position, state.ring, None)
        state.position += active
        return out

    def _frame(self, x: Tensor, position: Tensor, rings: Tensor, rows: Tensor | None) -> Tensor:
        """One frame [B, D] at `position` [B], for the rows [B] of the rings; None: for all of them."""
        slot = position % self.config.window
        mask = (torch.arange(self.config.window, device=x.device) <= position[:, None])[:, None, None]  # [B, 1, 1, window]
        angles = rope_angles(position[:, None], self.config.head_dim, ROPE_THETA)
        index = torch.arange(len(x), device=x.device) if rows is None else rows
        x = x[:, None]
        for layer, ring in zip(self._layers(), rings, strict=True):
            query, key, value = layer.project(x, angles)
            ring[0, index, :, slot], ring[1, index, :, slot] = key[:, :, 0], value[:, :, 0]
            keys, values = ring if rows is None else ring[:, rows]
            x = layer.finish(x, F.scaled_dot_product_attention(query, keys, values, attn_mask=mask))
        return self.norm(x)[:, 0]
