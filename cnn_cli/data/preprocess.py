"""From stored images to the network's input, for training and evaluation."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.data.source import LabeledImages

CHUNK = 2**20
"""Values that are summed at once: 4 MB as int32, which stay in the processor's cache."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601), as in Pillow's conversion to gray."""


def to_unit_range(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Turn uint8 [N, C, H, W] into float32 [N, channels, *size of the input] in 0..1."""
    pixels = to_channels(images, preprocessing.channels)
    if preprocessing.kind == "digit":
        pixels = _padded(pixels, preprocessing.size)
    pixels, size = pixels.float(), preprocessing.input_shape[1:]
    if pixels.shape[-2:] != size:
        pixels = F.interpolate(pixels, size, mode="bilinear", antialias=True)
    return pixels.div_(255)


def normalize(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Compute (pixels - mean) / std, per channel, in place."""
    for channel, (mean, std) in enumerate(zip(preprocessing.mean, preprocessing.std, strict=True)):
        pixels[:, channel].sub_(mean).div_(
            std
        )  # plain numbers: a tensor would have to be moved to the device
    return pixels


def network_input(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Turn uint8 [N, C, H, W] into the network's input, float32 [N, channels, *size of the input]."""
    return normalize(to_unit_range(images, preprocessing), preprocessing)


def to_channels(images: Tensor, channels: int) -> Tensor:
    """Convert uint8 [N, 1 or 3, H, W] to [N, channels, H, W]: repeat gray, or convert color to gray."""
    if images.shape[1] == channels:
        return images
    if images.shape[1] == 1:
        return images.expand(-1, channels, -1, -1)
    gray = sum(weight * images[:, i : i + 1].float() for i, weight in enumerate(LUMA))
    return torch.as_tensor(gray).round_().to(torch.uint8)


def mean_and_std(images: LabeledImages, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of the pixels in 0..1 per channel, exactly, from integer sums."""
    sums = torch.zeros(2, channels, dtype=torch.int64)  # of the values, and of their squares
    step = max(1, CHUNK // max(1, images.store[:1].numel()))
    for start in range(0, len(images), step):
        values = to_channels(images.take(slice(start, start + step)), channels).cpu().to(torch.int32)
        sums += torch.stack([values.sum((0, 2, 3)), (values * values).sum((0, 2, 3))])
    count = max(1, len(images)) * images.store.shape[2:].numel()
    moments = [(total / count, squares / count) for total, squares in sums.T.tolist()]
    deviations = (math.sqrt(square - mean**2) for mean, square in moments)
    return tuple(mean / 255 for mean, _ in moments), tuple(deviation / 255 for deviation in deviations)


def _padded(images: Tensor, size: int) -> Tensor:
    """Put images [N, C, H, W] into the middle of a square of background (0), of `size` pixels or more."""
    height, width = images.shape[-2:]
    side = max(size, height, width)
    if (height, width) == (side, side):
        return images
    top, left = (side - height) // 2, (side - width) // 2
    return F.pad(images, (left, side - width - left, top, side - height - top))
