"""Rotation, scale, shear and translation as one matrix per image."""

import math

import torch
from torch import Tensor


def draw_matrices(
    count: int,
    generator: torch.Generator,
    *,
    size: tuple[int, int],
    rotate: float,
    scale: float,
    shear: float,
    translate: float,
) -> Tensor:
    """Return matrices float [count, 2, 3] of random changes about the center, for `warp`.

    If all amounts are zero, nothing is drawn.

    Args:
        count: number of images.
        generator: a CPU generator, so that the draws are the same on every device.
        size: height and width of the images, in pixels.
        rotate: largest angle to either side, in degrees.
        scale: largest relative change of height and of width, drawn separately.
        shear: largest slant, in pixels to the side for each pixel of height.
        translate: largest shift in either direction, in pixels.
    """
    if not any((rotate, scale, shear, translate)):
        return torch.eye(2, 3).expand(count, 2, 3)
    height, width = size
    angle, width_factor, height_factor, slant, right, down = (
        torch.rand(6, count, generator=generator).mul_(2).sub_(1).unbind()
    )
    return affine_matrices(
        angle * math.radians(rotate),
        1 + width_factor * scale,
        1 + height_factor * scale,
        slant * shear,
        right * translate * 2 / width,
        down * translate * 2 / height,
    )


def affine_matrices(
    angle: Tensor, width_factor: Tensor, height_factor: Tensor, slant: Tensor, right: Tensor, down: Tensor
) -> Tensor:
    """Return matrices float [N, 2, 3] that map a position in the result to its position in the source.

    Coordinates go from -1 to 1 over the image, as in `torch.nn.functional.affine_grid`. All arguments are
    float [N]; angles are in radians, shifts in half images.
    """
    cos, sin = torch.cos(angle), torch.sin(angle)
    rotated = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    one, zero = torch.ones_like(slant), torch.zeros_like(slant)
    slanted = torch.stack([torch.stack([one, slant], 1), torch.stack([zero, one], 1)], 1)
    scaled = torch.stack([1 / width_factor, 1 / height_factor], 1)
    linear = scaled[:, :, None] * (slanted @ rotated)
    shift = torch.stack([right, down], 1)[:, :, None]
    return torch.cat([linear, -linear @ shift], 2)
