"""Augmentation as functions of a whole batch: every picture gets draws of its own, on the batch's device."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def random_affine(
    images: Tensor,
    generator: torch.Generator,
    *,
    rotate: float,
    scale: float,
    shear: float,
    translate: float,
) -> Tensor:
    """Rotate, scale, slant and shift every picture about its centre, by bilinear resampling.

    Args:
        images: float [N, C, H, W], 0 = paper; what comes in from outside is paper.
        generator: a CPU generator, so that the draws are the same on every device.
        rotate: largest angle to either side, in degrees.
        scale: largest relative change of height and of width, drawn apart.
        shear: largest slant, in pixels to the side for each pixel of height.
        translate: largest shift in either direction, in pixels.

    Returns:
        float [N, C, H, W].
    """
    if not any((rotate, scale, shear, translate)):
        return images
    count, _, height, width = images.shape
    angle, width_factor, height_factor, slant, right, down = (
        torch.rand(6, count, generator=generator).mul_(2).sub_(1).unbind()
    )
    matrices = affine_matrices(
        angle * math.radians(rotate),
        1 + width_factor * scale,
        1 + height_factor * scale,
        slant * shear,
        right * translate * 2 / width,
        down * translate * 2 / height,
    )
    return warp(images, matrices.to(images.device))


def affine_matrices(
    angle: Tensor, width_factor: Tensor, height_factor: Tensor, slant: Tensor, right: Tensor, down: Tensor
) -> Tensor:
    """Matrices float [N, 2, 3] that take a place in the result to the place in the source it comes from.

    Coordinates run from -1 to 1 over the picture, as in `torch.nn.functional.affine_grid`. All arguments are
    float [N]; angles are in radians, shifts in half pictures.
    """
    cos, sin = torch.cos(angle), torch.sin(angle)
    rotated = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    one, zero = torch.ones_like(slant), torch.zeros_like(slant)
    slanted = torch.stack([torch.stack([one, slant], 1), torch.stack([zero, one], 1)], 1)
    scaled = torch.stack([1 / width_factor, 1 / height_factor], 1)
    linear = scaled[:, :, None] * (slanted @ rotated)
    shift = torch.stack([right, down], 1)[:, :, None]
    return torch.cat([linear, -linear @ shift], 2)


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Resample float [N, C, H, W] at the places that the matrices [N, 2, 3] name; outside is 0."""
    height, width = images.shape[-2:]
    x, y = _centres(width, images), _centres(height, images)[:, None]
    # affine_grid by broadcasting: its batch of 2x3 matrix products takes longer than the resampling.
    across, down, shift = matrices[:, :, None, None, :].unbind(-1)  # each [N, 2, 1, 1]
    grid = across * x + (down * y + shift)  # [N, 2, H, W]
    grid = grid.permute(0, 2, 3, 1)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _centres(size: int, like: Tensor) -> Tensor:
    """The centres of `size` pixels side by side, float [size]: the outer edges are at -1 and 1."""
    steps = torch.arange(size, device=like.device, dtype=like.dtype)
    return (2 * steps + 1) / size - 1
