"""A backbone's weights as int8 rows with one float32 scale each: made once from a Llama folder, then opened quickly.

Adapters are folded in before quantizing. The file knows no runtime; `openvino_graph` builds its graphs from it.
Embedding and head are quantized too; norms stay float32.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import Tensor

from a2llm.files import replacing
from a2llm.language.config import LlamaConfig
from a2llm.language.llama import Llama
from a2llm.layers.lora import merge_lora

FORMAT = 1  # raise when the content changes: caches are keyed by it
FILE = "int8.safetensors"
SCALE = ".scale"  # beside a matrix `x` lies `x.scale`
Floats = NDArray[np.float32]
Matrix = tuple[NDArray[np.int8], Floats]  # [out, in], [out, 1]


def build(folder: Path, adapter_state: dict[str, Tensor] | None, alpha: float, out_dir: Path) -> None:
    """Quantize a Llama folder, with a LoRA adapter folded in, into `out_dir` (made if missing).

    Not atomic by itself: `cache.build_once` is.
    """
    model = Llama.from_folder(folder)
    if adapter_state:
        merge_lora(model, adapter_state, alpha)
    out_dir.mkdir(parents=True, exist_ok=True)
    with replacing(out_dir / FILE) as temporary:
        save_file(_quantize(model), temporary)
    shutil.copyfile(folder / "config.json", out_dir / "config.json")


def quantize_rows(weight: Floats) -> Matrix:
    """Symmetric int8 with one scale per output channel: [out, in] -> ([out, in], [out, 1])."""
    scale = np.abs(weight).max(axis=1, keepdims=True) / np.float32(127)
    scale[scale == 0] = 1  # a row of zeros stays zero
    return np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)


@dataclass(frozen=True)
class Int8Weights:
    """Weights that `build` wrote, by the names of `Llama`'s modules."""

    config: LlamaConfig
    tensors: dict[str, NDArray[Any]]

    @classmethod
    def from_folder(cls, folder: Path) -> "Int8Weights":
        return cls(LlamaConfig.from_folder(folder), load_file(folder / FILE))

    def vector(self, module: str) -> Floats:
        """Weight [D] of the norm `module`."""
        return self.tensors[f"{module}.weight"]

    def matrix(self, *modules: str) -> Matrix:
        """A layer's weight; several layers of the same input are stacked along their outputs."""
        names = [f"{module}.weight" for module in modules]
        if len(names) == 1:
            return self.tensors[names[0]], self.tensors[names[0] + SCALE]
        return (np.concatenate([self.tensors[name] for name in names]), np.concatenate([self.tensors[name + SCALE] for name in names]))

    @property
    def head(self) -> Matrix:
        return self.matrix("embed_tokens" if self.config.tie_embeddings else "lm_head")


def _quantize(model: Llama) -> dict[str, NDArray[np.generic]]:
    tensors: dict[str, NDArray[np.generic]] = {}
    for name, tensor in model.state_dict().items():
        weight = tensor.float().numpy()
        if weight.ndim == 1:
            tensors[name] = weight
        elif not (name == "lm_head.weight" and model.config.tie_embeddings):
            tensors[name], tensors[name + SCALE] = quantize_rows(weight)
    return tensors
