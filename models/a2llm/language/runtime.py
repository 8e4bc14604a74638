"""Chooses the backbone's runtime by device: torch on a GPU, OpenVINO on CPU, behind one interface.

Not a model: `torch_backbone` is the GPU path, `openvino_backbone` the fast CPU path.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from a2llm.cache import build_once
from a2llm.language.config import LlamaConfig
from a2llm.language.content import content
from a2llm.language.int8_weights import FORMAT, build
from a2llm.language.llama import Llama
from a2llm.language.torch_backbone import TorchBackbone
from a2llm.layers.device import pick_device
from a2llm.layers.lora import merge_lora
from a2llm.layers.threads import THREADS


class Backbone(Protocol):
    """A decoder that hands out its states at K depths, side by side, the last one after the final norm.

    `forward`: ids [B, T] -> [B, T, K * D]; `logits`: [..., K * D] -> [..., V], from the last one.

    What a cache can do says `layers.kv_cache.KVCache`; another runtime's is used in the same way.
    """

    @property
    def config(self) -> LlamaConfig: ...

    @property
    def tokens_at_once(self) -> int:
        """Most tokens of a prompt that one pass reads, so that a long one does not hold up others."""
        ...

    def new_cache(self, rows: int, capacity: int) -> Any: ...

    def forward(self, ids: Tensor, cache: Any = None, counts: Tensor | None = None) -> Tensor: ...

    def logits(self, states: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Adapter:
    """A trained LoRA adapter: `layers.lora.lora_state` and the alpha it was trained with."""

    state: dict[str, Tensor]
    alpha: float


def load_backbone(
    folder: Path,
    adapter: Adapter | None = None,
    device: str = "auto",
    runtime: str = "auto",
    threads: int = THREADS,
    dtype: torch.dtype | None = None,
    depths: Sequence[float] = (1.0,),
) -> Backbone:
    """Open a Llama folder on the best runtime of `device` ("auto", "cpu", "cuda[:n]").

    GPU: torch in bfloat16. CPU: OpenVINO int8 with `threads` threads, quantized on first use (seconds) into the cache
    folder and then opened from there. runtime="torch" forces torch (float32 on CPU); `dtype` overrides torch's precision.
    depths: shares of the layers behind which states are handed out, 1 the last of them.
    Raises ValueError for an unknown runtime, OpenVINO on a GPU or depths that the model does not have.
    """
    device = pick_device(device)
    runtime = ("openvino" if device == "cpu" else "torch") if runtime == "auto" else runtime
    if runtime == "torch":
        return _load_torch(folder, adapter, device, dtype, depths)
    if runtime != "openvino" or device != "cpu":
        raise ValueError(f"no runtime {runtime!r} on device {device!r}; there is torch, and openvino on cpu")
    return _load_openvino(folder, adapter, threads, depths)


def fingerprint(folder: Path, adapter: Adapter | None) -> str:
    """Key of what is built from a folder and an adapter: of their content alone, whatever copied them and when."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(f"{file.name} {content(file)}".encode())
    for name, tensor in sorted(adapter.state.items()) if adapter else ():
        digest.update(name.encode() + tensor.detach().cpu().float().numpy().tobytes())
    digest.update(repr(adapter.alpha if adapter else None).encode())
    return digest.hexdigest()[:16]


def _load_torch(folder: Path, adapter: Adapter | None, device: str, dtype: torch.dtype | None, depths: Sequence[float]) -> TorchBackbone:
    model = Llama.from_folder(folder)  # float32 first: an adapter folded into half precision loses its last bits
    if adapter:
        merge_lora(model, adapter.state, adapter.alpha)
    return TorchBackbone(model.to(device, dtype or (torch.float32 if device == "cpu" else torch.bfloat16)), depths)


def _load_openvino(folder: Path, adapter: Adapter | None, threads: int, depths: Sequence[float]) -> Backbone:
    from a2llm.language.openvino_backbone import OpenVINOBackbone

    state, alpha = (adapter.state, adapter.alpha) if adapter else (None, 1.0)
    key = f"backbone-int8-{fingerprint(folder, adapter)}-v{FORMAT}"
    return OpenVINOBackbone.from_folder(build_once(key, lambda out: build(folder, state, alpha, out)), threads, depths)
