"""The moving average of the weights, which generalizes better than the weights of the last step."""

import copy

import torch
from torch import nn


class Ema:
    """An exponential moving average of a network's parameters and buffers (Polyak & Juditsky 1992).

    Args:
        network: the network to average; the average starts at its current weights.
        decay: weight of the previous average in each step, 0 <= decay < 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Add the weights after `step` steps. The decay is lower at first, so random weights fade quickly."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averages, currents = self.network.state_dict().values(), network.state_dict().values()
        pairs = [(a, c) for a, c in zip(averages, currents, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in pairs], [c for _, c in pairs], 1 - decay)
