"""The talker on CPU cores: `Talker`'s interface over the OpenVINO graphs of `openvino_graph`.

Not a scheduler: who speaks when is the engine's business. Shapes: B rows of a call, D latent, K levels.
"""

# pyright: reportUnknownMemberType=false
# torch.from_numpy is untyped.

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from a2llm.layers.openvino_nodes import PAGE_SIZE
from a2llm.layers.openvino_step import Step
from a2llm.talker.config import SamplingConfig, TalkerConfig
from a2llm.talker.model import FrameBatch, Talker, TalkerFrame
from a2llm.talker.openvino_graph import TalkerGraphs
from a2llm.talker.sampling import log_cut, sharpness

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass
class PagedTalkerState:
    """State of the rows between frames. Row r owns the pages from r * pages_per_row on, used as a ring.

    pages: [L, 2, rows * pages_per_row, H, 32, d]; position [rows] frames seen; audio [rows, D] and motion [rows, D]
    the last frame's latents.
    """

    pages: Floats
    position: Ints
    audio: Floats
    motion: Floats

    @classmethod
    def zeros(cls, config: TalkerConfig, rows: int) -> "PagedTalkerState":
        shape = (config.layers, 2, rows * pages_per_row(config.window), config.heads, PAGE_SIZE, config.head_dim)
        return cls(
            np.zeros(shape, np.float32),
            np.zeros(rows, np.int64),
            np.zeros((rows, config.audio_latent), np.float32),
            np.zeros((rows, config.motion_latent), np.float32),
        )


def pages_per_row(window: int) -> int:
    """The window may begin within a page, so one page more than it fills."""
    return -(-window // PAGE_SIZE) + 1


def page_tables(position: Ints, rows: Ints, pages: int) -> dict[str, NDArray[np.int32]]:
    """Page tables of the rows' windows for the graph, from position and rows [B]. Their shapes depend on B alone."""
    first = np.maximum(position // PAGE_SIZE - (pages - 1), 0)  # oldest page still held
    blocks = (first[:, None] + np.arange(pages)) % pages + rows[:, None] * pages
    past = position - first * PAGE_SIZE
    every = np.arange(len(rows) + 1, dtype=np.int32)
    return {
        "past_lens": past.astype(np.int32),
        "subsequence_begins": every,
        "block_indices": blocks.reshape(-1).astype(np.int32),
        "block_indices_begins": every * pages,
        "max_context_len": np.array(past.max() + 1, np.int32),
    }


class Durations:
    """The duration head: same call as `DurationHead`."""

    def __init__(self, graphs: TalkerGraphs, threads: int) -> None:
        self._step = Step(graphs.durations(), threads)

    def forward(self, phones: Tensor, past: Tensor, style: Tensor, meaning: Tensor) -> Tensor:
        """phones [N, 11], past [N, 4], style [N, S], meaning [N, D] -> logits [N, 24]."""
        self._step.run({"phones": phones.numpy(), "past": past.numpy(), "style": style.numpy(), "meaning": meaning.numpy()})
        return torch.from_numpy(self._step.result("logits").copy())

    def __call__(self, phones: Tensor, past: Tensor, style: Tensor, meaning: Tensor) -> Tensor:
        return self.forward(phones, past, style, meaning)


class OpenVINOTalker:
    """A torch Talker's weights behind its own interface. A row's codes do not depend on who shares its batch."""

    beside = True

    def __init__(self, talker: Talker, threads: int = 1) -> None:
        self.config, self.connector = talker.config, talker.connector
        self._graphs, self._threads = TalkerGraphs(talker), threads
        self._steps: dict[int, Step] = {}  # by audio levels
        self._bound: tuple[Step, PagedTalkerState] | None = None
        self.durations = Durations(self._graphs, threads)
        self._graph(self.config.audio_levels, self.start(1))

    def start(self, rows: int) -> PagedTalkerState:
        return PagedTalkerState.zeros(self.config, rows)

    def restart(self, state: PagedTalkerState, row: int) -> None:
        """Make a row fit for a new response."""
        state.position[row] = 0
        state.audio[row], state.motion[row] = 0.0, 0.0

    def step(self, frames: FrameBatch, state: PagedTalkerState, rows: Tensor, uniforms: Tensor, sampling: SamplingConfig) -> TalkerFrame:
        """Sample one frame for the given rows [B] of the state; uniforms [B, audio + motion levels] in 0..1."""
        graph, index = self._graph(sampling.audio_levels, state), rows.numpy()
        position = state.position[index]
        graph.run(
            {
                "phones": frames.phones.numpy(),
                "counts": frames.counts.numpy(),
                "meaning": frames.meaning.numpy(),
                "style": frames.style.numpy(),
                "audio": state.audio[index],
                "motion": state.motion[index],
                "positions": position,
                "uniforms": uniforms.numpy(),
                **self._steering(sampling),
                **page_tables(position, index, pages_per_row(self.config.window)),
            }
        )
        state.position[index] = position + 1
        state.audio[index], state.motion[index] = graph.result("audio_latent"), graph.result("motion_latent")
        codes = {name: torch.from_numpy(graph.result(name).astype(np.int64)) for name in ("audio_codes", "motion_codes")}
        return TalkerFrame(codes["audio_codes"], torch.from_numpy(state.audio[index]), codes["motion_codes"])

    def _steering(self, sampling: SamplingConfig) -> dict[str, Floats]:
        c = self.config
        audio = [*sampling.audio_temperature, *[1.0] * c.audio_levels][: c.audio_levels]  # of unused levels: any
        factors = [sharpness(t) for t in (*audio, *[sampling.motion_temperature] * c.motion_levels)]
        cuts = [log_cut(sampling.min_p)] * c.audio_levels + [log_cut(sampling.motion_min_p)] * c.motion_levels
        return {"sharpness": np.array([factors], np.float32), "cuts": np.array([cuts], np.float32)}

    def _graph(self, audio_levels: int, state: PagedTalkerState) -> Step:
        """The graph for so many audio levels (compiled on first use), working on the state's pages."""
        graph = self._steps.get(audio_levels)
        if graph is None:
            graph = self._steps[audio_levels] = Step(self._graphs.step(audio_levels), self._threads)
        if self._bound is None or self._bound[0] is not graph or self._bound[1] is not state:
            for layer, (keys, values) in enumerate(state.pages):
                graph.share(f"keys.{layer}", keys)
                graph.share(f"values.{layer}", values)
            self._bound = graph, state
        return graph
