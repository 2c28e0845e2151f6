"""From stored pictures to what a network reads: one definition for training, evaluation and prediction."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_cli.data.source import Pictures, Reading

CHUNK = 2**20
"""Numbers that are summed at once: 4 MB as int32, which stay in the processor's cache."""

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in brightness (ITU-R BT.601), as in Pillow's conversion to grey."""


@dataclass(frozen=True)
class Preparation:
    """How pixels become a network's input. The checkpoint keeps it: every picture is treated alike."""

    size: int
    """Height and width of the input, in pixels."""
    mean: tuple[float, ...]
    """Subtracted from pixels in 0..1: one number for each channel of the input."""
    std: tuple[float, ...]
    """Then divided by; as many."""
    reading: Reading = "ink"
    """Small `ink` keeps its pixels and lies amid paper; a `whole` picture is scaled to fill the input."""

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return len(self.mean)

    def unit(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] to float32 [N, channels, size, size] in 0..1."""
        pixels = to_channels(images, self.channels)
        if self.reading == "ink":
            pixels = _amid_paper(pixels, self.size)
        pixels = pixels.float()
        if pixels.shape[-2:] != (self.size, self.size):
            pixels = F.interpolate(pixels, (self.size, self.size), mode="bilinear", antialias=True)
        return pixels.div_(255)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(pixels - mean) / std, in place."""
        for channel, (mean, std) in enumerate(zip(self.mean, self.std, strict=True)):
            pixels[:, channel].sub_(mean).div_(std)  # plain numbers: a tensor would have to reach the device
        return pixels

    def inputs(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] to the network's input float32 [N, channels, size, size]."""
        return self.normalise(self.unit(images))


def to_channels(images: Tensor, channels: int) -> Tensor:
    """uint8 [N, 1 or 3, H, W] to [N, channels, H, W]: grey comes `channels` times, colour becomes grey."""
    if images.shape[1] == channels:
        return images
    if images.shape[1] == 1:
        return images.expand(-1, channels, -1, -1)
    grey = sum(share * images[:, i : i + 1].float() for i, share in enumerate(LUMA))
    return torch.as_tensor(grey).round_().to(torch.uint8)


def mean_and_std(pictures: Pictures, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the pixels in 0..1 for each of `channels`, exact: from whole numbers."""
    sums = torch.zeros(2, channels, dtype=torch.int64)  # of the values, and of their squares
    step = max(1, CHUNK // max(1, pictures.store[:1].numel()))
    for start in range(0, len(pictures), step):
        values = to_channels(pictures.take(slice(start, start + step)), channels).cpu().to(torch.int32)
        sums += torch.stack([values.sum((0, 2, 3)), (values * values).sum((0, 2, 3))])
    count = max(1, len(pictures)) * pictures.store.shape[2:].numel()
    moments = [(total / count, squares / count) for total, squares in sums.T.tolist()]
    deviations = (math.sqrt(square - mean**2) for mean, square in moments)
    return tuple(mean / 255 for mean, _ in moments), tuple(deviation / 255 for deviation in deviations)


def _amid_paper(images: Tensor, size: int) -> Tensor:
    """Put images [N, C, H, W] into the middle of a square of paper (0) that is no smaller than `size`."""
    height, width = images.shape[-2:]
    side = max(size, height, width)
    if (height, width) == (side, side):
        return images
    top, left = (side - height) // 2, (side - width) // 2
    return F.pad(images, (left, side - width - left, top, side - height - top))
