"""Ruled lines in a mask of ink -> the mask without them, where no stroke of a digit crosses them."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

LONG = 0.5
"""A ruled line's longest straight part is at least this share of the image's side along it."""

THIN = 0.05
"""A ruled line is at most this thick, as a share of that part's length: the bar of a 7 is not."""

STROKE = 1.5
"""Where a line is this many times as thick as it mostly is, a stroke crosses it."""


def without_rules(mask: Mask) -> Mask:
    """Return the mask without the pixels of long thin lines; [H, W], true where there may be ink.

    A stroke that crosses a line is thicker there than the line, so its pixels stay, and the digit stays in
    one piece. What only touches a line is cut off from it.
    """
    across, down = run_lengths(mask), run_lengths(mask.T).T
    unruled: Mask = mask & ~_rules(across, down) & ~_rules(down.T, across.T).T
    return unruled


def _rules(along: NDArray[np.int64], thickness: NDArray[np.int64]) -> Mask:
    """Return the pixels of horizontal lines.

    Args:
        along: [H, W], the length of the horizontal run that each pixel belongs to.
        thickness: likewise of the vertical one.
    """
    long: Mask = along >= LONG * along.shape[1]
    for row in np.flatnonzero(long.any(axis=1)):
        typical = float(np.median(thickness[row][long[row]]))
        long[row] &= (thickness[row] <= STROKE * typical + 1) & (typical <= THIN * along[row])
    return long


def run_lengths(mask: Mask) -> NDArray[np.int64]:
    """Return the length of the run of true pixels in its row that each pixel belongs to, 0 where it is false.

    Args:
        mask: [H, W].
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1).ravel()  # 1 where a run starts, -1 after its end
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    changes = np.zeros(height * (width + 1) + 1, np.int64)
    changes[starts] = ends - starts
    changes[ends] -= ends - starts
    lengths: NDArray[np.int64] = np.cumsum(changes)[:-1].reshape(height, width + 1)[:, :width]
    return lengths
