"""Cutout: a square of every image is blanked.

DeVries, Taylor: Improved regularization of convolutional neural networks with cutout, arXiv 1708.04552.
"""

import torch
from torch import Tensor

from cnn_cli.data.send import send


def random_cutout(images: Tensor, generator: torch.Generator, side: int) -> Tensor:
    """Set a square of `side` pixels in every image float [N, C, H, W] to 0.

    Every pixel has the same chance to be its middle, so the square may be partly outside. The generator is a
    CPU generator, so that the draws are the same on every device.
    """
    count, _, height, width = images.shape
    middles = [torch.randint(length, (count,), generator=generator) for length in (height, width)]
    return cut_out(images, side, *(send(middle, images.device) - side // 2 for middle in middles))


def cut_out(images: Tensor, side: int, top: Tensor, left: Tensor) -> Tensor:
    """Set the squares of `side` pixels with the first row `top` and column `left`, int64 [N], to 0."""
    rows, columns = (
        _within(start, side, length) for start, length in zip((top, left), images.shape[-2:], strict=True)
    )
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)


def _within(start: Tensor, side: int, length: int) -> Tensor:
    """Return bool [N, length]: which positions are among the `side` ones from `start` int64 [N] on."""
    offset = torch.arange(length, device=start.device) - start[:, None]
    return (offset >= 0) & (offset < side)
