"""Chooses the talker's runtime by device: torch on a GPU, OpenVINO on CPU, behind one interface."""

from typing import Any, Protocol

from torch import Tensor

from a2llm.layers.device import pick_device
from a2llm.talker.config import SamplingConfig, TalkerConfig
from a2llm.talker.connector import Connector
from a2llm.talker.model import FrameBatch, Talker, TalkerFrame
from a2llm.talker.torch_talker import TorchTalker


class DurationModel(Protocol):
    """phones [N, 11], past [N, 4], style [N, S], meaning [N, D] -> logits [N, 24]."""

    def __call__(self, phones: Tensor, past: Tensor, style: Tensor, meaning: Tensor) -> Tensor: ...


class TalkerRuntime(Protocol):
    """`Talker`'s streaming interface; everything goes in and comes out on the CPU."""

    @property
    def config(self) -> TalkerConfig: ...

    @property
    def durations(self) -> DurationModel: ...

    @property
    def connector(self) -> Connector | None:
        """Makes the meanings that frames and durations read, on the CPU; None where those are the words' own states."""
        ...

    @property
    def beside(self) -> bool:
        """Gains from a thread of its own. Not where one device does everything in turn."""
        ...

    def start(self, rows: int) -> Any: ...

    def restart(self, state: Any, row: int) -> None: ...

    def step(self, frames: FrameBatch, state: Any, rows: Tensor, uniforms: Tensor, sampling: SamplingConfig) -> TalkerFrame: ...


def fast_talker(talker: Talker, device: str = "auto", threads: int = 1) -> TalkerRuntime:
    """The best runtime of `device` ("auto", "cpu", "cuda[:n]") for a loaded talker: torch on a GPU, else OpenVINO with
    `threads` threads (about half a second to compile)."""
    device = pick_device(device)
    if device != "cpu":
        return TorchTalker(talker, device)
    from a2llm.talker.openvino_talker import OpenVINOTalker

    return OpenVINOTalker(talker, threads)
