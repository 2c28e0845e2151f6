"""A component in which digits touch -> where it may be cut, and its pieces.

Heuristic over-segmentation (LeCun et al. 1998, section VI): more cuts than are needed, right and wrong ones.
Training images are made with them (`data.touching`).
"""

from dataclasses import dataclass

import numpy as np

from cnn_cli.image.text_components import Component

# Digits are cut at this height in pixels: twice MNIST's, so that edges stay soft when pieces are normalized.
HEIGHT = 40

# No piece is wider than this (1 = the digits' height): no digit of MNIST is wider than 1.0, and the row's
# height is known to a fifth.
WIDEST = 1.7

# Cuts run along these slants (pixels to the left for each pixel down) and leave them only at a cost:
# handwriting leans to the right far more often than to the left. With vertical cuts alone, 60 % of touching
# strings of MNIST's validation digits could be cut into pieces that the network classifies correctly; with
# these, 92 %.
SLANTS = (-0.2, 0.0, 0.2, 0.4, 0.6)

# The cost of each pixel that a cut moves sideways, in pixels of full ink: high enough that it goes through a
# stroke where two digits overlap, and around it where a step or two suffice.
SIDEWAYS = 0.5

# Two cuts of one slant lie at least APART from each other, and any cut FROM_SIDE from the component's sides
# (1 = the digits' height). Of two cuts whose mean distance is less than APART, one is kept. The narrowest 1
# is 0.1 wide.
APART = 0.04
FROM_SIDE = 0.05

# A cut through more ink than this (1 = the digits' height) would run along a stroke.
MAX_INK = 0.6


@dataclass(frozen=True)
class Cut:
    """A path through a component from top to bottom."""

    columns: np.ndarray
    """int [H]: the first column to the right of the cut, in each row."""
    ink: float
    """How much ink it cuts through, in pixels of full ink."""


def find_cuts(component: Component, height: float) -> list[Cut]:
    """Return the paths from top to bottom that cut through less ink than those next to them, left to right.

    Args:
        component: digits that may touch.
        height: the digits' height, in pixels.
    """
    kept: list[Cut] = []
    side = FROM_SIDE * height
    cuts = [
        cut for slant in SLANTS for cut in _slanted_cuts(component.ink, slant, max(1, round(APART * height)))
    ]
    for cut in sorted(cuts, key=lambda cut: cut.ink):
        inside = side < float(cut.columns.mean()) < component.width - side
        if inside and cut.ink <= MAX_INK * height and _is_new(cut, kept, APART * height):
            kept.append(cut)
    return sorted(kept, key=lambda cut: float(cut.columns.mean()))


def piece(component: Component, left: Cut | None, right: Cut | None) -> Component | None:
    """Return the piece between two cuts (None = the component's side), or None if it has no ink."""
    ink = component.ink
    column = np.arange(component.width)
    if left is not None:
        ink = ink * (column >= left.columns[:, None])
    if right is not None:
        ink = ink * (column < right.columns[:, None])
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return None
    cropped = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Component(cropped, component.left + int(columns[0]), component.top + int(rows[0]))


def _is_new(cut: Cut, others: list[Cut], apart: float) -> bool:
    return all(float(np.abs(cut.columns - other.columns).mean()) > apart for other in others)


def _slanted_cuts(ink: np.ndarray, slant: float, apart: int) -> list[Cut]:
    """Return the cuts along a slant whose cost is a local minimum.

    For each column of the middle row, the cheapest path through it is considered.
    """
    height, width = ink.shape
    shift = np.rint((np.arange(height) - height / 2) * -slant).astype(int)  # of each row, to the left
    pad = int(np.abs(shift).max()) + 1
    sheared = np.zeros((height, width + 2 * pad), np.float32)  # in which the slant is vertical
    for row in range(height):
        sheared[row, pad - shift[row] : pad - shift[row] + width] = ink[row]
    middle = height // 2
    above, steps_above = _cheapest_paths(sheared[:middle][::-1])
    below, steps_below = _cheapest_paths(sheared[middle:])
    cost = above + below
    cuts = []
    for column in _minima(cost, apart):
        path = np.concatenate([_traced(steps_above, column)[::-1], _traced(steps_below, column)])
        cuts.append(Cut(np.clip(path + shift - pad, 0, width), float(cost[column])))
    return cuts


def _cheapest_paths(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cost of the cheapest path from each column of the first row to the last row, and its steps.

    Returns:
        float32 [W], and int8 [H, W]: the column step of the path at each pixel, -1, 0 or 1.
    """
    height, width = ink.shape
    cost = np.zeros(width, np.float32)
    steps = np.zeros((height, width), np.int8)
    for row in range(height - 1, -1, -1):
        sides = np.pad(cost, 1, constant_values=np.inf)
        choices = np.stack([sides[:-2] + SIDEWAYS, cost, sides[2:] + SIDEWAYS])
        best = np.argmin(choices, axis=0)
        best[choices[1] <= choices.min(axis=0)] = 1  # straight on if a turn saves nothing
        steps[row] = best - 1
        cost = choices.min(axis=0) + ink[row]
    return cost, steps


def _traced(steps: np.ndarray, column: int) -> np.ndarray:
    """Return the columns of the path that starts in the given column: int [H]."""
    columns = []
    for row in steps:
        columns.append(column)
        column += int(row[column])
    return np.array(columns, np.intp)


def _minima(cost: np.ndarray, apart: int) -> list[int]:
    """Return the columns that cost no more than all others within `apart`; of a flat minimum, its middle."""
    width = len(cost)
    padded = np.pad(cost, apart, constant_values=np.inf)
    lowest = np.min([padded[shift : shift + width] for shift in range(2 * apart + 1)], axis=0)
    low = np.flatnonzero(cost <= lowest + 1e-6)
    if not len(low):
        return []
    runs = np.split(low, np.flatnonzero(np.diff(low) > apart) + 1)
    return [int(run[len(run) // 2]) for run in runs]
