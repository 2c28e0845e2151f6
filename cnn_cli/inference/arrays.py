"""Arrays of images, and the windows of their pixels that convolution and pooling look at.

An array of images is float32 [N, C, H, W]: N images with C channels of H rows and W columns. Its numbers may
lie in memory in another order: the layers write them with the channels of one pixel side by side, which lets
a convolution read a row of its window as one piece.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Shape = tuple[int, ...]
"""The shape of one input without the batch: (C, H, W) for an image, (units,) for a vector."""
Pair = tuple[int, int]
"""Height and width."""
Border = tuple[Pair, Pair]
"""Pixels above and below, pixels left and right."""

NO_BORDER: Border = ((0, 0), (0, 0))


def extent(kernel: Pair, dilation: Pair) -> Pair:
    """Return the height and width that a kernel covers: 5x5 for a 3x3 kernel with dilation 2."""
    return dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1


def border(window: Pair, padding: str | Pair) -> Border:
    """Return how many pixels `padding` adds on each side for a window of that height and width.

    `valid` adds none. `same` adds one pixel less than the window has, half of them on each side, so that
    stride 1 keeps the size; an odd one comes below or right, as in torch.
    """
    if padding == "valid":
        return NO_BORDER
    if isinstance(padding, str):
        down, right = window[0] - 1, window[1] - 1
        return (down // 2, down - down // 2), (right // 2, right - right // 2)
    return (padding[0], padding[0]), (padding[1], padding[1])


def bordered(shape: tuple[int, ...], border: Border, value: float = 0.0) -> tuple[Array, Array]:
    """Allocate images of a shape [N, C, H, W] amid a border of one value.

    Returns:
        The images with their border, and a view of them without it, whose numbers are still to be written.
        The channels of a pixel lie side by side.
    """
    (top, bottom), (left, right) = border
    count, channels, height, width = shape
    below, beside = top + height, left + width
    whole = np.empty((count, below + bottom, beside + right, channels), np.float32)
    whole[:, :top] = whole[:, below:] = value
    whole[:, :, :left] = whole[:, :, beside:] = value
    images = whole.transpose(0, 3, 1, 2)
    return images, images[:, :, top:below, left:beside]


def pad(images: Array, border: Border, value: float = 0.0) -> Array:
    """Surround images [N, C, H, W] with pixels of one value."""
    if border == NO_BORDER:
        return images
    padded, inside = bordered(images.shape, border, value)
    inside[:] = images
    return padded


def windows(images: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
    """Return every window of images [N, C, H, W] as a view [N, H', W', kh, kw, C]; nothing is copied.

    The window at (y, x) starts at pixel (y * stride, x * stride) and takes every `dilation`-th pixel.
    """
    count, channels, height, width = images.shape
    window = extent(kernel, dilation)
    rows, columns = ((height - window[0]) // stride[0] + 1, (width - window[1]) // stride[1] + 1)
    per_image, per_channel, per_row, per_column = images.strides
    return np.lib.stride_tricks.as_strided(
        images,
        (count, rows, columns, *kernel, channels),
        (
            *(per_image, per_row * stride[0], per_column * stride[1]),
            *(per_row * dilation[0], per_column * dilation[1], per_channel),
        ),
        writeable=False,
    )
