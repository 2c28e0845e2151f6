"""Gaussian smoothing as two matrix products, which is faster than a convolution for small images."""

import math

import torch
from torch import Tensor

TRUNCATE = 4.0
"""Standard deviations at which the Gaussian is cut off, as in SciPy."""


def gaussian_matrices(size: int, sigma: Tensor) -> Tensor:
    """Return matrices float [..., size, size] that smooth a line of `size` pixels; beyond it is 0.

    Args:
        size: number of pixels.
        sigma: float [...], standard deviations in pixels; 0 changes nothing.
    """
    # The smallest deviation, 1e-3, gives a Gaussian that is 1 in the middle and 0 beside it.
    variance = sigma.clamp(min=1e-3).square()[..., None]
    reach = math.ceil(TRUNCATE * sigma.max().item())
    total = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * variance)).sum(-1, keepdim=True)
    steps = torch.arange(size)
    distance = (steps[:, None] - steps).abs()
    weights = torch.exp(-distance.square() / (2 * variance[..., None])) / total[..., None]
    return weights * (distance <= reach)


def smooth(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Smooth float [..., H, W] by a matrix [..., H, H] along the columns and [..., W, W] along the rows."""
    return down @ images @ across.mT
