"""Which device a runtime or a training works on."""

import torch


def pick_device(name: str) -> str:
    """`name` itself, or for "auto" the GPU if there is one."""
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"
