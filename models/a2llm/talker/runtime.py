"""Which runtime carries the talker: torch on a GPU, OpenVINO on CPU. One interface, chosen by device."""

from dataclasses import fields
from typing import Any, Protocol

from torch import Tensor

from a2llm.layers.device import pick_device
from a2llm.talker.config import SamplingConfig, TalkerConfig
from a2llm.talker.durations import DurationHead
from a2llm.talker.model import FrameBatch, Talker, TalkerFrame, TalkerState


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


class TorchDurations:
    """A DurationHead on any device."""

    def __init__(self, head: DurationHead, device: str) -> None:
        self._head, self._device = head, device

    def forward(self, phones: Tensor, past: Tensor, affect: Tensor, hidden: Tensor) -> Tensor:
        return self._head(*(x.to(self._device) for x in (phones, past, affect, hidden))).cpu()

    def __call__(self, phones: Tensor, past: Tensor, affect: Tensor, hidden: Tensor) -> Tensor:
        return self.forward(phones, past, affect, hidden)


class TorchTalker:
    """A Talker on any device behind the common interface."""

    def __init__(self, talker: Talker, device: str) -> None:
        self._talker, self._device = talker.to(device), device
        self.config = talker.config
        self.durations = TorchDurations(talker.durations, device)

    def start(self, rows: int) -> TalkerState:
        return self._talker.start(rows)

    def restart(self, state: TalkerState, row: int) -> None:
        self._talker.restart(state, row)

    def step(self, frames: FrameBatch, state: TalkerState, rows: Tensor, uniforms: Tensor, sampling: SamplingConfig) -> TalkerFrame:
        moved = FrameBatch(*(getattr(frames, f.name).to(self._device) for f in fields(frames)))
        made = self._talker.step(moved, state, rows.to(self._device), uniforms.to(self._device), sampling)
        return TalkerFrame(*(getattr(made, f.name).cpu() for f in fields(made)))


def fast_talker(talker: Talker, device: str = "auto", threads: int = 1) -> TalkerRuntime:
    """The best runtime of `device` ("auto", "cpu", "cuda[:n]") for a loaded talker: torch on a GPU, else OpenVINO with
    `threads` threads (about half a second to compile)."""
    device = pick_device(device)
    if device != "cpu":
        return TorchTalker(talker, device)
    from a2llm.talker.openvino_talker import OpenVINOTalker

    return OpenVINOTalker(talker, threads)
