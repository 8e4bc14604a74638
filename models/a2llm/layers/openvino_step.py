"""A compiled OpenVINO graph that is run again and again on small numpy arrays. Knows no model."""
# OpenVINO's type stubs lack what its modules export:
# pyright: reportAttributeAccessIssue=false

from functools import cache
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray


@cache
def shared_core() -> ov.Core:
    """The one OpenVINO core of this process.

    Every core's CPU plugin installs a signal stack of its own and unmaps it when it goes, even while it is in use: with
    several cores, the first Ctrl-C after one is gone is a segmentation fault.
    """
    return ov.Core()


class Step:
    """A compiled graph that is fed numpy arrays by name; input memory is kept as long as the batch stays the same."""

    def __init__(self, model: ov.Model, threads: int) -> None:
        # Activations stay float: faster per token here than dynamic quantization, and closer to float32.
        # Threads are not tied to cores: every graph's would be tied to the same ones, and two could not run side by side.
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "KV_CACHE_PRECISION": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
            "ENABLE_CPU_PINNING": False,
        }
        self._request = shared_core().compile_model(model, "CPU", settings).create_infer_request()
        self._inputs: dict[str, NDArray[np.generic]] = {}

    def share(self, name: str, array: NDArray[np.generic]) -> None:
        """Let the graph work on `array` itself from now on."""
        self._request.set_tensor(name, ov.Tensor(array, shared_memory=True))

    def run(self, inputs: dict[str, NDArray[np.generic]]) -> None:
        """Run once; the results stay readable until the next run."""
        for name, value in inputs.items():
            held = self._inputs.get(name)
            if held is None or held.shape != value.shape:
                held = self._inputs[name] = np.empty(value.shape, self._request.get_tensor(name).data.dtype)
                self.share(name, held)
            held[...] = value
        self._request.infer()

    def result(self, name: str) -> NDArray[Any]:
        """A view of one output, overwritten by the next run."""
        return self._request.get_tensor(name).data
