"""Mixup: images that are partly another one, and learned as that.

Zhang, Cisse, Dauphin, Lopez-Paz: mixup: Beyond empirical risk minimization, arXiv 1710.09412.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Mix:
    """What every image of a batch was mixed with, and how much of itself it kept."""

    partners: Tensor
    """int64 [N]: the place of the other image in the batch."""
    share: float
    """Of the image itself, 0..1; the same for the whole batch, as in the paper."""

    def blend(self, rows: Tensor) -> Tensor:
        """Each row of float [N, ...] mixed with its partner's: the images, and their targets alike."""
        return torch.lerp(rows[self.partners], rows, self.share)


def draw_mix(count: int, generator: torch.Generator, alpha: float, device: torch.device) -> Mix:
    """A partner for each of `count` images, and the share from Beta(alpha, alpha), by a CPU generator."""
    seed = torch.randint(2**63 - 1, (), generator=generator).item()  # torch draws Beta from no generator
    share = np.random.default_rng(int(seed)).beta(alpha, alpha)
    return Mix(torch.randperm(count, generator=generator).to(device), float(share))
