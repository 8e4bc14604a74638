"""Facts about the machine of a measurement: without them a time means nothing."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch


def machine_facts() -> dict[str, float | str]:
    """CPU, cores this process may use, memory, load and the versions that set the pace."""
    return {
        "machine_cpu": _cpu_name(),
        "machine_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "machine_memory_gib": round(_memory_gib(), 1),
        "machine_load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else float("nan"),
        "machine_system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": version("torch"),
        "openvino": version("openvino"),
        "torch_threads": torch.get_num_threads(),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _memory_gib() -> float:
    if not hasattr(os, "sysconf"):
        return float("nan")
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
