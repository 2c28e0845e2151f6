"""The layers that put one number in the place of a window: pooling and global pooling.

A window's maximum is the maximum over its columns of the maximum over its rows, and sums add up in the same
way. So both layers work along the rows first and then along the columns, which takes kh + kw steps a window
where kh * kw would be needed.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cnn_cli.inference.arrays import Array, Pair, pad

Combine = Callable[..., Array]
"""`np.maximum` or `np.add`: what puts two numbers of a window together."""


def pool(inputs: Array, *, window: Pair, kind: str, stride: Pair | None, padding: Pair, ceil: bool) -> Array:
    """Put the maximum or the average of each window in its place, channel by channel.

        max: outputs[n, c, y, x] = max over i, j of inputs[n, c, y * stride + i, x * stride + j]
        avg: the same with the mean

    Padding never is a maximum, and counts as zeros in an average. What a last window (`ceil`) covers beyond
    the padding counts in neither, as in torch.

    Args:
        inputs: [N, C, H, W].
        window: its height and width.
        kind: `max` or `avg`.
        stride: rows and columns from one window to the next; None for those of the window.
        padding: rows and columns on each side.
        ceil: let a last window reach over the edge where pixels are left over otherwise.

    Returns:
        [N, C, H', W'], H' = (H + 2 padding - window) / stride + 1, rounded down (or up: ceil), and W' alike.
    """
    steps = stride or window
    height, width = inputs.shape[2:]
    rows = positions(height, window[0], steps[0], padding[0], ceil)
    columns = positions(width, window[1], steps[1], padding[1], ceil)
    border = (
        (padding[0], beyond(rows, window[0], steps[0], padding[0], height)),
        (padding[1], beyond(columns, window[1], steps[1], padding[1], width)),
    )
    combine: Combine = np.maximum if kind == "max" else np.add
    padded = pad(inputs, border, -np.inf if kind == "max" else 0.0)
    outputs = _combine(padded, 2, rows, window[0], steps[0], combine)
    outputs = _combine(outputs, 3, columns, window[1], steps[1], combine)
    if kind == "max":
        return outputs
    counts = np.outer(
        window_counts(rows, window[0], steps[0], height, padding[0]),
        window_counts(columns, window[1], steps[1], width, padding[1]),
    )
    return np.divide(outputs, counts, dtype=np.float32)


def positions(size: int, window: int, stride: int, padding: int, ceil: bool) -> int:
    """Return how many windows stand along one side; none starts in the border after the pixels."""
    room = size + 2 * padding - window
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def beyond(count: int, window: int, stride: int, padding: int, size: int) -> int:
    """Return how many pixels the last of `count` windows needs after the last pixel of the image."""
    return max(0, (count - 1) * stride + window - padding - size)


def _combine(images: Array, axis: int, count: int, window: int, stride: int, combine: Combine) -> Array:
    """Combine the numbers of each of `count` windows along one axis of [N, C, H, W]."""

    def places(offset: int) -> tuple[slice, ...]:
        """The pixels at that place of all windows."""
        stop = offset + (count - 1) * stride + 1
        return (*(slice(None),) * axis, slice(offset, stop, stride))

    outputs = images[places(0)]
    for offset in range(1, window):
        outputs = combine(outputs, images[places(offset)], out=None if offset == 1 else outputs)
    return outputs


def window_counts(count: int, window: int, stride: int, size: int, padding: int) -> NDArray[np.int64]:
    """Return how many of `size` pixels, and of those of the padding, each of `count` windows covers."""
    starts = np.arange(count) * stride
    return np.minimum(starts + window, size + 2 * padding) - starts


def global_pool(inputs: Array, *, kind: str, size: Pair) -> Array:
    """Cover each channel with `size` windows, and put the average or maximum of each in its place.

    Window i of n over H rows goes from floor(i * H / n) to ceil((i + 1) * H / n), which torch calls adaptive
    pooling. One window (size 1) is the whole channel (Lin et al. 2013, Network in network, section 3.2).

    Args:
        inputs: [N, C, H, W].
        kind: `avg` or `max`.
        size: how many windows down and across.

    Returns:
        [N, C, *size].
    """
    return _adapt(_adapt(inputs, 2, size[0], kind), 3, size[1], kind)


def _adapt(images: Array, axis: int, count: int, kind: str) -> Array:
    """Average or maximum of `count` windows along one axis, which together cover it."""
    side = images.shape[axis]
    parts = []
    for start, stop in cells(side, count):
        part = images[(*(slice(None),) * axis, slice(start, stop))]
        parts.append(part.max(axis) if kind == "max" else part.mean(axis))
    return np.stack(parts, axis)


def cells(side: int, count: int) -> list[Pair]:
    """Return where each of `count` windows starts and stops that together cover `side` pixels."""
    return [(place * side // count, -(-(place + 1) * side // count)) for place in range(count)]
