"""Which device a runtime or a training works on, and how things get there."""

import torch
from torch import Tensor


def pick_device(name: str) -> str:
    """`name` itself, or for "auto" the GPU if there is one."""
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def upload(x: Tensor, device: torch.device | str) -> Tensor:
    """A CPU tensor on `device`. Nothing waits for a GPU: its copy is queued behind what it is doing, from pinned memory."""
    device = torch.device(device)
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
