"""The layers that take the time, once more: the same numbers as the definitions, computed faster.

A convolution is a matrix product of the windows, one a row, and the filters, one a column (Chellapilla et al.
2006). Copying the windows multiplies the memory by the size of the kernel, so a piece of the images goes
through at a time that fits the processor's cache. A last column of ones in the windows meets a last row of
biases in the filters, which adds them for free.

The matrix products take three quarters of the time. Two ways around them were measured and gained nothing in
NumPy: Winograd's algorithm (Lavin & Gray 2015) needs fewer products, but its sums take as long as it saves; a
product for each row of the kernel copies less, but adds up more, and gains 5 % for kernels of 5x5 alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cnn_cli.inference.arrays import NO_BORDER, Array, Border, Pair, border, bordered, extent, pad, windows

PIECE = 2**18
"""Numbers of the windows that are copied at a time: 1 MB, of the sizes that were tried the fastest."""

SHORT = 16
"""Numbers in a row of a window, below which windows are copied column by column: single numbers are slow."""


@dataclass(frozen=True)
class FastConv:
    """A convolution without groups, and perhaps a ReLU after it."""

    matrix: Array
    """The filters and their biases: [kh * kw * C + 1, out]."""
    kernel: Pair
    stride: Pair
    border: Border
    dilation: Pair
    relu: bool = False
    """Whether negative outputs become zero."""
    margin: Border = NO_BORDER
    """Zeros around the output: the border that the next convolution needs, which then need not copy it."""

    def __call__(self, inputs: Array) -> Array:
        """Images [N, C, H, W] to [N, out, H', W'], and the margin around them."""
        patches = windows(pad(inputs, self.border), self.kernel, self.stride, self.dilation)
        count, height, width = patches.shape[:3]
        numbers, out = self.matrix.shape
        images, rows = _piece(height, width * numbers)
        matrix, place = _columns((min(images, count), rows, width), patches.shape[3:])
        sums, zeros = np.empty((len(matrix), out), np.float32), np.zeros((width, out), np.float32)
        outputs, inside = bordered((count, out, height, width), self.margin)
        for some, from_row in _pieces(count, images, height, rows):
            piece, target = patches[some, from_row], inside[some, :, from_row].transpose(0, 2, 3, 1)
            place[: piece.shape[0], : piece.shape[1]] = piece
            used = math.prod(piece.shape[:3])
            products = np.matmul(matrix[:used], self.matrix, out=sums[:used]).reshape(target.shape)
            if self.relu:
                np.maximum(products, zeros, out=target)  # four times as fast as with the number 0
            else:
                target[:] = products
        return outputs


def _piece(height: int, numbers: int) -> Pair:
    """Return how many images, and rows of them, go through at a time; `numbers` is what one row takes."""
    images = max(1, PIECE // (height * numbers))
    return images, min(height, max(1, PIECE // numbers))


def _pieces(count: int, images: int, height: int, rows: int) -> Iterator[tuple[slice, slice]]:
    for image in range(0, count, images):
        for row in range(0, height, rows):
            yield slice(image, image + images), slice(row, row + rows)


def _columns(positions: tuple[int, ...], window: tuple[int, ...]) -> tuple[Array, Array]:
    """Allocate the matrix of windows with its column of ones; also return a view to copy windows into.

    Args:
        positions: (images, rows, columns) of the windows that it holds.
        window: (kh, kw, C).
    """
    size, count = math.prod(window), math.prod(positions)
    if window[1] * window[2] < SHORT:
        by_column = np.empty((size + 1, count), np.float32)
        place = by_column[:size].reshape(*window, *positions).transpose(3, 4, 5, 0, 1, 2)
        matrix = by_column.T
    else:
        matrix = np.empty((count, size + 1), np.float32)
        place = matrix[:, :size].reshape(*positions, *window)
    matrix[:, size] = 1
    return matrix, place


@dataclass(frozen=True)
class DepthwiseConv:
    """A convolution with one filter for each channel, and perhaps a ReLU: a sum of shifted images."""

    filters: Array
    """[kh, kw, C]."""
    bias: Array | None
    stride: Pair
    border: Border
    dilation: Pair
    relu: bool = False

    def __call__(self, inputs: Array) -> Array:
        """Images [N, C, H, W] to [N, C, H', W']."""
        kernel = (self.filters.shape[0], self.filters.shape[1])
        patches = windows(pad(inputs, self.border), kernel, self.stride, self.dilation)
        outputs = np.zeros((*patches.shape[:3], patches.shape[5]), np.float32)
        for row in range(kernel[0]):
            for column in range(kernel[1]):
                outputs += patches[:, :, :, row, column] * self.filters[row, column]
        if self.bias is not None:
            outputs += self.bias
        if self.relu:
            relu_in_place(outputs)
        return outputs.transpose(0, 3, 1, 2)


@dataclass(frozen=True)
class GroupedConv:
    """Convolutions of the parts of the channels, joined."""

    parts: tuple[FastConv, ...]

    def __call__(self, inputs: Array) -> Array:
        """Images [N, C, H, W] to [N, out, H', W']."""
        channels = np.split(inputs, len(self.parts), axis=1)
        return np.concatenate([part(some) for part, some in zip(self.parts, channels, strict=True)], axis=1)


def fast_conv(
    *,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: str | Pair,
    dilation: Pair,
    groups: int,
    relu: bool,
) -> FastConv | DepthwiseConv | GroupedConv:
    """Prepare the convolution that `conv` computes with the same arguments, and perhaps a ReLU after it."""
    kernel = (weight.shape[2], weight.shape[3])
    rim = border(extent(kernel, dilation), padding)
    if groups == len(weight) and weight.shape[1] == 1 and groups > 1:
        filters = np.ascontiguousarray(weight[:, 0].transpose(1, 2, 0))
        return DepthwiseConv(filters, bias, stride, rim, dilation, relu)
    biases = np.zeros(len(weight), np.float32) if bias is None else bias
    parts = tuple(
        FastConv(_filters(some, beside), kernel, stride, rim, dilation, relu)
        for some, beside in zip(np.split(weight, groups), np.split(biases, groups), strict=True)
    )
    return parts[0] if groups == 1 else GroupedConv(parts)


def _filters(weight: Array, bias: Array) -> Array:
    """Return filters [out, C, kh, kw] and biases [out] as a matrix [kh * kw * C + 1, out]."""
    columns = weight.transpose(2, 3, 1, 0).reshape(-1, len(weight))
    return np.concatenate([columns, bias[None]])


def relu_in_place(inputs: Array) -> Array:
    """max(0, x), written over x."""
    return np.maximum(inputs, np.zeros_like(inputs), out=inputs)
