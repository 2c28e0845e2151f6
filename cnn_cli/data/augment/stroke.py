"""Thicker and thinner strokes, by a share of gray dilation or erosion."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_cli.data.send import send


def random_thickness(images: Tensor, generator: torch.Generator, most: float) -> Tensor:
    """Make the strokes of every image float [N, C, H, W], 0 = background, thicker or thinner.

    A share is drawn for each image from -`most`..`most`, see `thicken`. The generator is a CPU generator, so
    that the draws are the same on every device.
    """
    shares = torch.rand(len(images), generator=generator).mul_(2 * most).sub_(most)
    return thicken(images, send(shares, images.device))


def thicken(images: Tensor, shares: Tensor) -> Tensor:
    """Move each image by its share toward its dilation or, if the share is negative, its erosion.

    Args:
        images: float [N, C, H, W], 0 = background.
        shares: float [N] in -1..1. At 1 every pixel is the darkest of the 3x3 around it: a stroke grows by a
            pixel on either side. At -1 it is the lightest.
    """
    sign = shares.sign()[:, None, None, None]
    # The erosion of an image is the dilation of its negative, so one pooling computes both.
    grown = F.max_pool2d(images * sign, 3, stride=1, padding=1) * sign
    return torch.lerp(images, grown, shares.abs()[:, None, None, None])
