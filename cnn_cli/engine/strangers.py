"""Learning to be unsure: pictures that are no digits, whose target is no class (outlier exposure).

Hendrycks, Mazeika, Dietterich: Deep anomaly detection with outlier exposure, 2019 (arXiv 1812.04606): beside
the digits the network sees strangers, and the cross-entropy of its answers to them with the uniform
distribution is added to the loss.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnn_cli.engine.seeds import generator

POOL = 20_000
"""Strangers drawn for a run at most, in about 4 s; augmentation changes them each time they are taken."""

EPOCHS = 10
"""And no more than so many epochs take: a small run need not wait."""


@dataclass(frozen=True)
class Strangers:
    """What a run takes its strangers from.

    Args:
        images: uint8 [M, 1, 28, 28], 0 = paper.
        share: strangers for each training picture; each weighs as much as a picture, so this is the paper's
            factor of the added loss, too (there 0.5).
    """

    images: Tensor
    share: float

    def rows(self, pictures: int, seed: int, step: int) -> Tensor:
        """Which strangers, int64 [K] on the CPU, go with so many training pictures in a step."""
        count = round(self.share * pictures)
        if not count:
            return torch.empty(0, dtype=torch.int64)
        return torch.randint(len(self.images), (count,), generator=generator(seed, "strangers", step))

    def to(self, device: torch.device) -> "Strangers":
        """The same on another device."""
        return Strangers(self.images.to(device), self.share)


NOBODY = Strangers(torch.empty(0, 1, 28, 28, dtype=torch.uint8), 0.0)
