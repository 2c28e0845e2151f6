"""Resampling: every pixel of the result is interpolated at a position in the source."""

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(images: Tensor, matrices: Tensor, displacements: Tensor | None = None) -> Tensor:
    """Resample float [N, C, H, W] bilinearly, once for all geometric changes; outside is 0.

    Args:
        images: float [N, C, H, W].
        matrices: float [N, 2, 3], from a position in the result to one in the source, as
            `torch.nn.functional.affine_grid` takes them.
        displacements: float [N, 2, H, W], displacement of that position in pixels (dx, dy).
    """
    height, width = images.shape[-2:]
    x, y = _centers(width, images), _centers(height, images)[:, None]
    # affine_grid by broadcasting: a batch of 2x3 matrix products takes longer than the resampling.
    across, down, shift = matrices[:, :, None, None, :].unbind(-1)  # each [N, 2, 1, 1]
    grid = across * x + (down * y + shift)  # [N, 2, H, W]
    if displacements is not None:
        for axis, half in enumerate((width / 2, height / 2)):
            grid[:, axis] += displacements[:, axis] / half
    grid = grid.permute(0, 2, 3, 1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _centers(size: int, like: Tensor) -> Tensor:
    """Return the centers of a line of `size` pixels, float [size]; the outer edges are at -1 and 1."""
    steps = torch.arange(size, device=like.device, dtype=like.dtype)
    return (2 * steps + 1) / size - 1
