"""From stored pictures to what a network reads: one definition for training, evaluation and prediction."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 4096
"""Pictures whose pixels are counted at once: a few megabytes."""


@dataclass(frozen=True)
class Preparation:
    """How pixels become a network's input. The checkpoint keeps it: every picture is treated alike."""

    size: int
    """Height and width of the input, in pixels."""
    mean: float
    """Subtracted from pixels in 0..1."""
    std: float
    """Then divided by."""
    channels: int = 1
    """Channels of the input; in three, a grey picture comes three times."""

    def unit(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] to float32 [N, channels, size, size] in 0..1, the picture amid paper (0)."""
        height, width = images.shape[-2:]
        if (height, width) != (self.size, self.size):
            top, left = (self.size - height) // 2, (self.size - width) // 2
            images = F.pad(images, (left, self.size - width - left, top, self.size - height - top))
        if images.shape[1] == 1:
            images = images.expand(-1, self.channels, -1, -1)
        return images.float().div_(255)

    def normalise(self, pixels: Tensor) -> Tensor:
        """(pixels - mean) / std, in place."""
        return pixels.sub_(self.mean).div_(self.std)

    def inputs(self, images: Tensor) -> Tensor:
        """uint8 [N, C, H, W] to the network's input float32 [N, channels, size, size]."""
        return self.normalise(self.unit(images))


def mean_and_std(images: Tensor) -> tuple[float, float]:
    """Mean and standard deviation, in 0..1, of all pixels of uint8 [N, C, H, W]; exact, by a histogram."""
    counts = torch.zeros(256, dtype=torch.int64)
    for chunk in torch.split(images, CHUNK):
        counts += torch.bincount(chunk.flatten(), minlength=256)
    values = torch.arange(256, dtype=torch.float64) / 255
    shares = counts.double() / counts.sum()
    mean = float((shares * values).sum())
    variance = float((shares * (values - mean) ** 2).sum())
    return mean, math.sqrt(variance)
