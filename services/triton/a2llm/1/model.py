"""The class that Triton's Python backend makes for this model. a2serve.inference.triton_model does the work."""

from collections.abc import Sequence
from typing import Any

import triton_python_backend_utils as utils  # made by Triton, in the process that it starts for this model

from a2serve.inference.triton_model import TritonModel


class TritonPythonModel:
    """The three calls that Triton makes."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load and warm up. The model is READY when this returns; what it raises is the reason why it is not."""
        self._model = TritonModel(args, utils)

    def execute(self, requests: Sequence[Any]) -> None:
        """Returns at once: answers go through each request's response sender."""
        self._model.execute(requests)

    def finalize(self) -> None:
        self._model.stop()
