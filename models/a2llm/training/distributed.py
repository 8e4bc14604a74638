"""One training on several processes, as torchrun starts them: who leads, what all agree on, and the wrapped module.

Started without torchrun, a process is alone and all of this does nothing.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class World:
    """rank: this process among `size` of them; number 0 leads: it alone writes."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def agree(self, value: float) -> float:
        """Returns the leader's value, in every process."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=_device())
        dist.broadcast(shared, 0)
        return float(shared)

    def wait(self) -> None:
        """Returns when every process has come here."""
        if self.size > 1:
            dist.barrier()

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module whose gradients are the mean over all processes. What of it a step does not use may differ from step to step."""
        return module if self.size == 1 else DistributedDataParallel(module, forward_sync_buffers=False, find_unused_parameters=True)


ALONE = World()


@contextmanager
def world() -> Iterator[World]:
    """The processes that torchrun started together with this one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield World(dist.get_rank(), size)
        dist.barrier()  # who leaves first ends connections that another one still uses
    finally:
        gc.collect()  # a wrapped module that outlives the group ends the process with an abort
        dist.destroy_process_group()


def _device() -> torch.device:
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")
