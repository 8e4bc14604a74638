"""A CUDA graph on the CPU: `Tape` writes down what a step does to which memory, once, and does the same again.

As with a graph, Python runs only while it is recorded, and every later run reads and writes the very same tensors. What
could not be captured is refused: asking the device for a value, or bringing one from the host.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

HOST = {"_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "is_nonzero", "item", "unique"}


class Tape(TorchDispatchMode):
    """Stands in for `StaticStep`."""

    def __init__(self, function: Callable[[], None], device: torch.device | str, pool: Any = None) -> None:
        super().__init__()
        self._calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], list[torch.Tensor]]] = []
        function()  # the warm-up
        with self:
            function()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in HOST, name
        assert not (name.startswith("index") and any(x.dtype == torch.bool for x in tensors(args[1]))), "a mask as an index"
        made = func(*args, **(kwargs or {}))
        self._calls.append((func, args, kwargs or {}, tensors(made)))
        return made

    def __call__(self) -> None:
        for func, args, kwargs, held in self._calls:
            for old, new in zip(held, tensors(func(*args, **kwargs)), strict=True):
                if old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():  # neither a view nor in place
                    old.copy_(new)


def tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]
