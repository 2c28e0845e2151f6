"""From stored images to what a network reads, as training does it."""

import numpy as np
from numpy.typing import NDArray

from cnn_cli.config.choices import PreprocessingKind
from cnn_cli.inference.arrays import Array

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in brightness (ITU-R BT.601), as in Pillow's conversion to gray."""


def preprocess(
    images: NDArray[np.uint8],
    *,
    size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    kind: PreprocessingKind,
) -> Array:
    """Turn images into a network's input.

    Args:
        images: uint8 [N, 1 or 3, H, W]; 0 is the background of a digit.
        size: height and width of the input, in pixels.
        mean: subtracted from pixels in 0..1, one number for each channel of the input.
        std: what they are divided by then, as many.
        kind: a small `digit` keeps its pixels, amid background; a `photo` is scaled to fill the input.

    Returns:
        float32 [N, len(mean), size, size].
    """
    images = to_channels(images, len(mean))
    if kind == "digit":
        images = on_background(images, size)
    pixels = resize(images.astype(np.float32), size)
    pixels /= 255
    pixels -= np.array(mean, np.float32)[:, None, None]
    pixels /= np.array(std, np.float32)[:, None, None]
    return pixels


def to_channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Turn [N, 1 or 3, H, W] into [N, channels, H, W]: gray is repeated, color becomes gray."""
    count, has, height, width = images.shape
    if has == channels:
        return images
    if has == 1:
        return np.broadcast_to(images, (count, channels, height, width))
    gray = sum(np.float32(share) * images[:, i : i + 1] for i, share in enumerate(LUMA))
    return np.rint(gray).astype(np.uint8)


def on_background(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Put images [N, C, H, W] in the middle of a square of background (0) that is no smaller than `size`."""
    count, channels, height, width = images.shape
    side = max(size, height, width)
    if (height, width) == (side, side):
        return images
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((count, channels, side, side), np.uint8)
    square[:, :, top : top + height, left : left + width] = images
    return square


def resize(images: Array, size: int) -> Array:
    """Scale images [N, C, H, W] to size x size, bilinear with antialiasing as in torch and Pillow."""
    height, width = images.shape[2:]
    if height != size:
        images = bilinear(height, size) @ images
    if width != size:
        images = images @ bilinear(width, size).T
    return images


def bilinear(before: int, after: int) -> Array:
    """Return the shares [after, before] of the old pixels along one side in the new ones.

    A new pixel is a mean of the old ones around its center, weighted with a triangle. That reaches one old
    pixel far where the image grows, and one new pixel where it shrinks, so that every old pixel counts.
    """
    scale = before / after
    reach = max(scale, 1.0)
    centers = (np.arange(after) + 0.5) * scale
    distances = np.arange(before) + 0.5 - centers[:, None]
    shares = np.maximum(0, 1 - np.abs(distances) / reach)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares.astype(np.float32)
