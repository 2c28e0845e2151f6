"""Optimisers: which parameters decay, and which torch class takes the steps."""

from typing import Any

import torch
from torch import Tensor, nn

from cnn_cli.model.modules import NORMALISATION


def build_optimizer(
    network: nn.Module,
    name: str,
    *,
    lr: float,
    momentum: float,
    betas: tuple[float, float],
    weight_decay: float,
) -> torch.optim.Optimizer:
    """The optimiser `sgd`, `adam` or `adamw` over all parameters of the network.

    Weight decay pulls on kernels and weight matrices alone: pulling biases or a normalisation's scale to zero
    only costs accuracy (He et al. 2018, arXiv 1812.01187, section 3.1).
    """
    decaying, free = _groups(network)
    groups: list[dict[str, Any]] = [
        {"params": decaying, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    # fused: one call for all parameters instead of a dozen for each, on the CPU as on CUDA
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, fused=True)
    adam = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return adam(groups, lr=lr, betas=betas, fused=True)


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: dict[str, dict[str, Tensor]]) -> None:
    """Go on with the state of each parameter, by its number.

    Each tensor gets its parameter's memory layout: fused optimisers read both in memory order.
    """
    values = optimizer.state_dict()
    values["state"] = {int(index): tensors for index, tensors in state.items()}
    optimizer.load_state_dict(values)
    for parameter, tensors in optimizer.state.items():
        for name, value in tensors.items():
            if value.shape == parameter.shape:
                tensors[name] = torch.empty_like(parameter).copy_(value)


def _groups(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters that decay (kernels, matrices), and those that do not (biases, normalisation)."""
    decaying: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            decays = parameter.ndim > 1 and not isinstance(module, NORMALISATION)
            (decaying if decays else free).append(parameter)
    return decaying, free
