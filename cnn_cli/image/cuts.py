"""A component in which digits touch -> where it may be cut, and its pieces.

Heuristic over-segmentation (LeCun et al. 1998, section VI): more cuts than are needed, from which the network
chooses.
"""

from dataclasses import dataclass

import numpy as np

from cnn_cli.image.text_components import Component

# Digits are cut at this height: twice MNIST's, so that edges stay soft when they are fitted.
HEIGHT = 40

# No part is wider than this (1 = the digits' height): of MNIST's digits none is wider than 1.0, and the row's
# height is known to a fifth.
WIDEST = 1.7

# Cuts run along these tilts (pixels to the left for each down) and leave them only for a price: writing leans
# to the right far more often than to the left. With upright cuts alone, 60 % of touching strings of MNIST's
# validation digits could be cut into what the network reads rightly, with these 92 %.
TILTS = (-0.2, 0.0, 0.2, 0.4, 0.6)

# What a cut pays for each pixel that it moves aside of its tilt, in pixels of full ink: so much that it goes
# through a stroke where two are merged, and around it where a step or two suffice.
SIDEWAYS = 0.5

# Two cuts of one tilt, and any cut and the component's sides, lie at least this far apart (1 = the digits'
# height), and two cuts whose mean distance is less are one. The narrowest 1 has a width of 0.1.
APART = 0.04
FROM_SIDE = 0.05

# A cut that goes through more ink than this (1 = the digits' height) would run along a stroke.
MOST_INK = 0.6


@dataclass(frozen=True)
class Cut:
    """A way through a component from top to bottom."""

    columns: np.ndarray
    """int [H]: the first column behind the cut, in each row."""
    ink: float
    """How much ink it goes through, in pixels of full ink."""


def find_cuts(component: Component, height: float) -> list[Cut]:
    """The ways from top to bottom that go through less ink than those beside them, from left to right.

    Args:
        component: digits that may touch.
        height: of a digit, in pixels.
    """
    kept: list[Cut] = []
    side = FROM_SIDE * height
    found = [cut for tilt in TILTS for cut in _tilted(component.ink, tilt, max(1, round(APART * height)))]
    for cut in sorted(found, key=lambda cut: cut.ink):
        inside = side < float(cut.columns.mean()) < component.width - side
        if inside and cut.ink <= MOST_INK * height and _is_new(cut, kept, APART * height):
            kept.append(cut)
    return sorted(kept, key=lambda cut: float(cut.columns.mean()))


def piece(component: Component, left: Cut | None, right: Cut | None) -> Component | None:
    """What lies between two cuts, or between a cut and the component's side; None if there is no ink."""
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


def _tilted(ink: np.ndarray, tilt: float, apart: int) -> list[Cut]:
    """Of all ways that cross the middle row in a given column the cheapest; these where they are cheap."""
    height, width = ink.shape
    shift = np.rint((np.arange(height) - height / 2) * -tilt).astype(int)  # of each row, to the left
    pad = int(np.abs(shift).max()) + 1
    upright = np.zeros((height, width + 2 * pad), np.float32)
    for row in range(height):
        upright[row, pad - shift[row] : pad - shift[row] + width] = ink[row]
    middle = height // 2
    above, steps_above = _cheapest(upright[:middle][::-1])
    below, steps_below = _cheapest(upright[middle:])
    cost = above + below
    cuts = []
    for column in _valleys(cost, apart):
        way = np.concatenate([_trace(steps_above, column)[::-1], _trace(steps_below, column)])
        cuts.append(Cut(np.clip(way + shift - pad, 0, width), float(cost[column])))
    return cuts


def _cheapest(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cost of the cheapest way from each column of the first row to the last, and its steps.

    Returns:
        float32 [W], and int8 [H, W]: to which side the way goes on from each pixel, -1, 0 or 1.
    """
    height, width = ink.shape
    cost = np.zeros(width, np.float32)
    steps = np.zeros((height, width), np.int8)
    for row in range(height - 1, -1, -1):
        sides = np.pad(cost, 1, constant_values=np.inf)
        ways = np.stack([sides[:-2] + SIDEWAYS, cost, sides[2:] + SIDEWAYS])
        best = np.argmin(ways, axis=0)
        best[ways[1] <= ways.min(axis=0)] = 1  # straight on where nothing is won by turning
        steps[row] = best - 1
        cost = ways.min(axis=0) + ink[row]
    return cost, steps


def _trace(steps: np.ndarray, column: int) -> np.ndarray:
    columns = []
    for row in steps:
        columns.append(column)
        column += int(row[column])
    return np.array(columns, np.intp)


def _valleys(cost: np.ndarray, apart: int) -> list[int]:
    """Columns that cost no more than all within `apart` of them; of a flat valley the middle."""
    width = len(cost)
    padded = np.pad(cost, apart, constant_values=np.inf)
    lowest = np.min([padded[shift : shift + width] for shift in range(2 * apart + 1)], axis=0)
    low = np.flatnonzero(cost <= lowest + 1e-6)
    if not len(low):
        return []
    runs = np.split(low, np.flatnonzero(np.diff(low) > apart) + 1)
    return [int(run[len(run) // 2]) for run in runs]
