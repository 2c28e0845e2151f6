"""Ruled lines in a mask of ink -> the mask without them, where no stroke of a digit crosses them."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

LONG = 0.5
"""A ruled line's longest straight part is at least this share of the image's side along it."""

THIN = 0.05
"""A ruled line is at most this thick, as a share of that part's length: the bar of a 7 is not."""

STROKE = 1.5
"""Where a line is this many times as thick as it mostly is, a stroke crosses it."""

STEEPEST = 0.08
"""Lines are at most this tilted, in pixels down for each pixel to the right: 4.6 degrees."""

SAMPLED = 10_000
"""How lines are tilted is measured with about this number of pixels."""


def without_rules(mask: Mask) -> Mask:
    """Return the mask without the pixels of long thin lines; [H, W], true where there may be ink.

    A stroke that crosses a line is thicker there than the line, so its pixels stay, and the digit stays in
    one piece. What only touches a line is cut off from it.
    """
    across, down = run_lengths(mask), run_lengths(mask.T).T
    unruled: Mask = mask & ~_rules(mask, across, down) & ~_rules(mask.T, down.T, across.T).T
    return unruled


def _rules(mask: Mask, along: NDArray[np.int64], thickness: NDArray[np.int64]) -> Mask:
    """Return the pixels of lines that are horizontal or tilted a little, all by the same slope.

    Args:
        mask: [H, W].
        along: likewise, the length of the horizontal run that each pixel belongs to.
        thickness: likewise of the vertical one.
    """
    slope = _slope(mask, thickness)
    if not slope:
        return _level_rules(along, thickness)
    level = _sheared(mask, -slope)
    return _sheared(_level_rules(run_lengths(level), run_lengths(level.T).T), slope)


def _level_rules(along: NDArray[np.int64], thickness: NDArray[np.int64]) -> Mask:
    """Return the pixels of horizontal lines, given the run lengths that `_rules` has."""
    long: Mask = along >= LONG * along.shape[1]
    for row in np.flatnonzero(long.any(axis=1)):
        typical = float(np.median(thickness[row][long[row]]))
        long[row] &= (thickness[row] <= STROKE * typical + 1) & (typical <= THIN * along[row])
    return long


def _slope(mask: Mask, thickness: NDArray[np.int64]) -> float:
    """Return the slope along which most thin ink lies, down for each pixel to the right.

    These are projections as of the Radon transform, for small angles. The slope is 0 if no line is long.
    """
    width = mask.shape[1]
    down, right = np.nonzero(mask & (thickness <= max(1, THIN * width)))
    if len(down) < LONG * width:
        return 0.0
    every = 1 + len(down) // SAMPLED
    down, right = down[::every], right[::every] - width // 2
    steepest = round(STEEPEST * width)
    best, most = 0, 0
    for step in sorted(range(-steepest, steepest + 1), key=abs):
        rows = down - np.rint(right * (step / width)).astype(np.int64) + steepest
        count = int(np.bincount(rows).max())
        if count > most:
            best, most = step, count
    return best / width if most * every >= LONG * width else 0.0


def _sheared(mask: Mask, slope: float) -> Mask:
    """Return the mask with each column moved down by the slope times its distance from the middle one."""
    height, width = mask.shape
    shifts = np.rint((np.arange(width) - width // 2) * slope).astype(np.int64)
    starts = [0, *(np.flatnonzero(np.diff(shifts)) + 1).tolist(), width]
    sheared = np.zeros_like(mask)
    for start, end in pairwise(starts):
        down = int(np.clip(shifts[start], -height, height))
        target = slice(max(0, down), height + min(0, down))
        sheared[target, start:end] = mask[max(0, -down) : height - max(0, down), start:end]
    return sheared


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
