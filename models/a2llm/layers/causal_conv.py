"""Causal convolution over time, offline and streamed with one arithmetic.

No output looks ahead of its own inputs. Layout inside is [B, C, T]; the state is a StreamState, never the module's.
"""

import torch
from torch import Tensor, nn

from a2llm.layers.state import StreamState


class CausalConv1d(nn.Module):
    """Convolution [B, C_in, T] -> [B, C_out, T / stride] that sees the past only.

    Output i uses inputs up to i * stride + stride - 1. With a state, `key` names this layer's buffer of the last
    `left` inputs; a fresh state means silence before the first input, which is what the offline padding means too.
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.left = (kernel - 1) * dilation + 1 - stride
        if self.left < 0:
            raise ValueError(f"kernel {kernel} with dilation {dilation} is shorter than the stride {stride}")
        self.stride = stride
        self.conv = nn.Conv1d(c_in, c_out, kernel, stride=stride, dilation=dilation)

    def forward(self, x: Tensor, state: StreamState | None = None, key: str = "") -> Tensor:
        """x [B, c_in, T] -> [B, c_out, T / stride], in pieces with a state the same as at once. Raises ValueError if T / stride is not
        whole."""
        if x.shape[-1] % self.stride:
            raise ValueError(f"{x.shape[-1]} steps are not a whole number of strides of {self.stride}")
        past = None if state is None else state.buffers.get(key)
        if past is None:
            past = x.new_zeros(*x.shape[:-1], self.left)
        x = torch.cat([past, x], dim=-1)  # [B, C_in, left + T]
        if state is not None:
            state.buffers[key] = x[..., x.shape[-1] - self.left :].clone()
        return self._one(x) if x.shape[-1] == self.left + self.stride else self.conv(x)

    def _one(self, x: Tensor) -> Tensor:
        """One output from exactly its taps: a plain product, because a convolution's set-up would dominate a step."""
        taps = x[..., :: self.conv.dilation[0]].flatten(1)  # [B, C_in * kernel]
        return nn.functional.linear(taps, self.conv.weight.flatten(1), self.conv.bias)[..., None]


class CausalResidual(nn.Module):
    """Residual block [B, C, T] -> [B, C, T]: per-step norm, dilated causal convolution, pointwise mix."""

    def __init__(self, channels: int, kernel: int = 3, dilation: int = 1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.wide = CausalConv1d(channels, channels, kernel, dilation=dilation)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor, state: StreamState | None = None, key: str = "") -> Tensor:
        """x [B, C, T] -> [B, C, T], the same in pieces with a state as at once."""
        y = self.norm(x.transpose(1, 2)).transpose(1, 2)  # over channels only: a norm over time would look ahead
        y = nn.functional.gelu(self.wide(y, state, key))
        return x + self.mix(y.transpose(1, 2)).transpose(1, 2)
