"""Which device a runtime or a training works on, and how things get there."""

import os

import torch
from torch import Tensor

THREADS = int((os.environ.get("OMP_NUM_THREADS") or "2").split(",")[0])  # of the CPU's runtimes where nobody asks for other



def pick_device(name: str) -> str:
    """`name` itself, or for "auto" the GPU if there is one."""
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def upload(x: Tensor, device: torch.device | str) -> Tensor:
    """A CPU tensor on `device`. Nothing waits for a GPU: its copy is queued behind what it is doing, from pinned memory."""
    device = torch.device(device)
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
