"""Cut-out: a square of every image is paper.

DeVries, Taylor: Improved regularization of convolutional neural networks with cutout, arXiv 1708.04552.
"""

import torch
from torch import Tensor


def random_cutout(images: Tensor, generator: torch.Generator, side: int) -> Tensor:
    """Blank a square of `side` pixels in every image float [N, C, H, W]: 0 there.

    Its middle is any pixel with the same chance, so it may lie partly outside. The generator is a CPU
    generator, so that the draws are the same on every device.
    """
    count, _, height, width = images.shape
    middles = [torch.randint(length, (count,), generator=generator) for length in (height, width)]
    return cut_out(images, side, *(middle.to(images.device) - side // 2 for middle in middles))


def cut_out(images: Tensor, side: int, top: Tensor, left: Tensor) -> Tensor:
    """Blank the squares of `side` pixels whose first row and column are `top` and `left`, int64 [N]."""
    rows, columns = (
        _within(start, side, length) for start, length in zip((top, left), images.shape[-2:], strict=True)
    )
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)


def _within(start: Tensor, side: int, length: int) -> Tensor:
    """Which of `length` places are among the `side` from `start` int64 [N] on: bool [N, length]."""
    offset = torch.arange(length, device=start.device) - start[:, None]
    return (offset >= 0) & (offset < side)
