"""Mixup: each image is mixed with another one, and its target likewise.

Zhang, Cisse, Dauphin, Lopez-Paz: mixup: Beyond empirical risk minimization, arXiv 1710.09412.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cnn_cli.data.send import send


@dataclass(frozen=True)
class Mix:
    """The other image that each image of a batch is mixed with, and its own share."""

    partners: Tensor
    """int64 [N]: the index of the other image in the batch."""
    share: float
    """Share of the image itself, 0..1; the same for the whole batch, as in the paper."""

    def blend(self, rows: Tensor) -> Tensor:
        """Mix each row of float [N, ...] with its partner's row: images or targets."""
        return torch.lerp(rows[self.partners], rows, self.share)


def draw_mix(count: int, generator: torch.Generator, alpha: float, device: torch.device) -> Mix:
    """Draw a partner for each of `count` images and the share from Beta(alpha, alpha) by a CPU generator."""
    seed = torch.randint(2**63 - 1, (), generator=generator).item()  # torch cannot draw Beta from a generator
    share = np.random.default_rng(int(seed)).beta(alpha, alpha)
    return Mix(send(torch.randperm(count, generator=generator), device), float(share))
