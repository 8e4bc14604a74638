"""An ONNX graph on one CPU thread of ONNX Runtime, numpy in and out. Knows no model."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np


class OnnxGraph:
    """A loaded graph: a file, or its bytes."""

    def __init__(self, model: Path | bytes) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        source = model if isinstance(model, bytes) else str(model)
        self._session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    def run(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """All outputs, in the graph's order."""
        return [np.asarray(value) for value in self._session.run(None, dict(inputs))]
