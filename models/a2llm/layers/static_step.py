"""The one place that knows CUDA graphs: a step whose shapes and memory never change, replayed on a GPU, called elsewhere.

A GPU is idle while Python launches a thousand small kernels one by one; a graph launches them all at once.
"""

from collections.abc import Callable
from typing import Any

import torch

_WARM_UPS = 3  # runs in which libraries choose their kernels and take their workspaces


def memory_pool(device: torch.device | str) -> Any:
    """Memory for what passes between the kernels of a step; steps that run one after the other may share it.

    Make one for each owner of steps, which all go when it goes. None where there are no graphs.
    """
    return torch.cuda.graph_pool_handle() if torch.device(device).type == "cuda" else None


class StaticStep:
    """`function` reads and writes tensors that its caller holds, and nothing else: its Python runs for the last time when the
    step is made. It must ask the GPU for no value and bring nothing from the host.

    Making a step runs it, so let its inputs say that nobody takes part.
    """

    def __init__(self, function: Callable[[], None], device: torch.device | str, pool: Any = None) -> None:
        device = torch.device(device)
        self._run = _capture(function, device, pool) if device.type == "cuda" else function

    def __call__(self) -> None:
        """Queue the step; the GPU may still be at it afterwards."""
        self._run()


def _capture(function: Callable[[], None], device: torch.device, pool: Any) -> Callable[[], None]:
    with torch.cuda.device(device):
        side, main = torch.cuda.Stream(), torch.cuda.current_stream()
        side.wait_stream(main)
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                function()
        main.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # thread_local: what other threads do meanwhile, such as taking memory, does no harm.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            function()
    return graph.replay
