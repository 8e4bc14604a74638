"""Low-rank adapters (LoRA, arXiv 2106.09685) on named linear layers of a frozen module."""

import math

import torch
from torch import Tensor, nn


class LoRALinear(nn.Module):
    """y = W x + scale * B A x, with W frozen; B starts at zero, so a new adapter changes nothing."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.empty(rank, base.in_features, device=base.weight.device))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank, device=base.weight.device))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """x [..., in] -> [..., out], adapter included."""
        return self.base(x) + (x @ self.down.t().to(x.dtype)) @ self.up.t().to(x.dtype) * self.scale


def add_lora(model: nn.Module, targets: tuple[str, ...], rank: int, alpha: float) -> list[nn.Parameter]:
    """Freeze `model` and wrap every linear layer whose name ends in one of `targets`; returns the new
    parameters. Raises ValueError when no layer has such a name."""
    model.requires_grad_(False)
    parameters: list[nn.Parameter] = []
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name.rsplit(".", 1)[-1] in targets:
            parent = model.get_submodule(name.rpartition(".")[0])
            adapter = LoRALinear(module, rank, alpha)
            setattr(parent, name.rpartition(".")[2], adapter)
            parameters += [adapter.down, adapter.up]
    if not parameters:
        raise ValueError(f"no linear layer is named {targets}")
    return parameters


def lora_state(model: nn.Module) -> dict[str, Tensor]:
    """The adapters alone, as `<layer>.down` [rank, in] and `<layer>.up` [out, rank]."""
    state: dict[str, Tensor] = {}
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear):
            state[f"{name}.down"] = module.down.detach()
            state[f"{name}.up"] = module.up.detach()
    return state


def merge_lora(model: nn.Module, state: dict[str, Tensor], alpha: float) -> None:
    """Folds saved adapters into the plain linear layers of `model`, in place. Raises ValueError for an adapter without its layer."""
    for key in [k for k in state if k.endswith(".down")]:
        name = key.removesuffix(".down")
        down, up = state[key].float(), state[f"{name}.up"].float()
        layer = model.get_submodule(name)
        if not isinstance(layer, nn.Linear):
            raise ValueError(f"{name} is not a linear layer of this backbone")
        change = (up @ down) * (alpha / down.shape[0])
        layer.weight.data += change.to(layer.weight.device, layer.weight.dtype)
