"""Which runtime carries the talker: torch on a GPU, OpenVINO on CPU. One interface, chosen by device."""

from dataclasses import fields
from typing import Any, Protocol

import torch
from torch import Tensor

from a2llm.talker.config import SamplingConfig, TalkerConfig
from a2llm.talker.model import FrameBatch, Talker, TalkerFrame


class DurationModel(Protocol):
    """phones [N, 11], past [N, 4], affect [N, 5], hidden [N, D] -> logits [N, 24]."""

    def __call__(self, phones: Tensor, past: Tensor, affect: Tensor, hidden: Tensor) -> Tensor: ...


class TalkerRuntime(Protocol):
    """`Talker`'s streaming interface; everything goes in and comes out on the CPU."""

    @property
    def config(self) -> TalkerConfig: ...

    @property
    def durations(self) -> DurationModel: ...

    def start(self, rows: int) -> Any: ...

    def restart(self, state: Any, row: int) -> None: ...

    def step(self, frames: FrameBatch, state: Any, rows: Tensor, uniforms: Tensor, sampling: SamplingConfig) -> TalkerFrame: ...
