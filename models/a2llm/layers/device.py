"""Chooses the device of a runtime or a training, describes it, and moves data to it."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

DRIVER_FILE = Path("/proc/driver/nvidia/version")  # the kernel's, so a container sees it too
LEAST_DRIVER = {12: 525, 13: 580}  # by CUDA's major version: NVIDIA's table of minor version compatibility


class DeviceUnavailable(ValueError):
    """The device that was asked for cannot be used. The message says why, and what it needs."""


@dataclass(frozen=True)
class DeviceFacts:
    """Facts about the device. `gpu` and `driver` are empty if there is none, `cuda` if torch is built without it."""

    device: str
    kind: str  # cpu or gpu
    gpu: str
    driver: str
    cuda: str
    torch: str

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items() if value)


def pick_device(name: str) -> str:
    """`name` itself, or for "auto" the GPU if there is one. Raises DeviceUnavailable for a device that cannot be used."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (AssertionError, RuntimeError) as error:  # torch without CUDA asserts
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise DeviceUnavailable(f"there is no device {name!r}: {reason}. {_what_it_needs(name)}".rstrip()) from error
    return name


def device_facts(device: str) -> DeviceFacts:
    """Facts about a device that `pick_device` returned."""
    on_gpu = device.startswith("cuda")
    gpu = torch.cuda.get_device_name(device) if on_gpu else ""
    return DeviceFacts(device, "gpu" if on_gpu else "cpu", gpu, driver_version(), torch.version.cuda or "", torch.__version__)


def driver_version() -> str:
    """Version of the NVIDIA driver that this machine has loaded; empty if there is none."""
    try:
        found = re.search(r"Module.*?\s(\d{3,}\.[\d.]+)", DRIVER_FILE.read_text())
    except OSError:
        return ""
    return found[1] if found else ""


def _what_it_needs(name: str) -> str:
    if not name.startswith("cuda"):
        return ""
    if torch.version.cuda is None:
        return f"PyTorch {torch.__version__} is built without CUDA: install a CUDA build of it, or take the image whose tag ends in -cuda"
    least = LEAST_DRIVER.get(int(torch.version.cuda.partition(".")[0]))
    wanted = f"driver {least} or newer" if least else "driver of its own time"
    return (
        f"PyTorch {torch.__version__} is built for CUDA {torch.version.cuda} and needs an NVIDIA {wanted}; "
        f"this machine has {driver_version() or 'none that can be seen here'}"
    )


def upload(x: Tensor, device: torch.device | str) -> Tensor:
    """A CPU tensor on `device`. Nothing waits for a GPU: its copy is queued behind what it is doing, from pinned memory."""
    device = torch.device(device)
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
