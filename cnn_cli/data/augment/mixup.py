"""Mixup: pictures that are partly another one, and learnt as that.

Zhang, Cisse, Dauphin, Lopez-Paz: mixup: Beyond empirical risk minimization, arXiv 1710.09412.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Mix:
    """What every picture of a batch was mixed with, and how much of itself it kept."""

    partners: Tensor
    """int64 [N]: the place of the other picture in the batch."""
    share: float
    """Of the picture itself, 0..1; the same for the whole batch, as in the paper."""

    def pictures(self, images: Tensor) -> Tensor:
        """The mixed pictures, float [N, C, H, W]."""
        return torch.lerp(images[self.partners], images, self.share)

    def loss(self, loss_of: Callable[[Tensor], Tensor], labels: Tensor) -> Tensor:
        """The loss of mixed targets: cross-entropy is linear in its target, so the losses are mixed.

        Args:
            loss_of: from labels int64 [N] to the loss.
            labels: int64 [N], those of the pictures before they were mixed.
        """
        return self.share * loss_of(labels) + (1 - self.share) * loss_of(labels[self.partners])


def draw_mix(count: int, generator: torch.Generator, alpha: float, device: torch.device) -> Mix:
    """A partner for each of `count` pictures, and the share from Beta(alpha, alpha), by a CPU generator."""
    seed = torch.randint(2**63 - 1, (), generator=generator).item()  # torch draws Beta from no generator
    share = np.random.default_rng(int(seed)).beta(alpha, alpha)
    return Mix(torch.randperm(count, generator=generator).to(device), float(share))
