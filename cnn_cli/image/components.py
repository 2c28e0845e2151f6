"""Ink -> which of its components make up the digit: no specks, page edges, frames or neighbors."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

# Components are told apart on a grid of at most this many cells a side: fine enough for two strokes of a digit
# that fills a third of the image, coarse enough that a stroke's small gaps close.
GRID = 96

# The digit's main component is at least this long, as a share of the image's longer side: of 504 people's
# images the smallest digit had 0.39 of the height.
MIN_EXTENT = 0.15

# What runs along the border for over half of its length is a page's edge or a desk; what reaches across this
# share of both sides is a frame. Either can be the digit only where nothing else is.
BORDER_CONTACT = 0.5
ACROSS = 0.9
OUTER_WEIGHT = 1e-3

# A component that touches the border may be a neighbor that the image's edge cuts.
BORDER_WEIGHT = 0.25

# A further component belongs to the digit if it has this share of the main component's ink and lies this close to it
# (1 = the main component's extent): the bar of a 5, a part of a broken stroke. A speck has less ink; a neighbor
# that the image's edge cuts lies farther away than a part that touches the edge.
PART_INK = 0.03
PART_GAP, PART_GAP_AT_BORDER = 0.25, 0.1


class Reason(StrEnum):
    """Why a component is not a part of the digit."""

    OUTER = "the edge of a page, or a frame"
    SPECK = "too little ink"
    FAR = "too far from the digit"


REASONS = tuple(Reason)
KEPT = -1
"""In place of an index into `REASONS`: it belongs to the digit."""


@dataclass(frozen=True)
class Components:
    """The components in an image, told apart on a grid of cells."""

    labels: np.ndarray
    """The component in each cell, int [rows, columns], 0 = none."""
    mass: np.ndarray
    """The ink of each component, float [components + 1]; that of 0 does not count."""
    why: np.ndarray
    """For each an index into `REASONS` that tells why it is left out, or `KEPT`: int [components + 1]."""
    main_is_outer: bool
    """Whether the main one looks like a page's edge or a frame; it is kept for want of a better one."""
    cell: int
    """Pixels along a cell's side."""
    shape: tuple[int, int]
    """Of the image."""

    @property
    def mask(self) -> np.ndarray:
        """bool [H, W], true on the digit and in the cells that it touches; all false without ink."""
        mask: np.ndarray = (self.why == KEPT)[self.labels]
        if self.cell > 1:
            mask = mask.repeat(self.cell, axis=0).repeat(self.cell, axis=1)
        return mask[: self.shape[0], : self.shape[1]]

    @property
    def ink(self) -> float:
        """How much ink the digit has, 0 if it may be none."""
        return 0.0 if self.main_is_outer else float(self.mass[self.why == KEPT].sum())

    @property
    def hides_more(self) -> bool:
        """Whether a page's edge or a frame has more ink than the digit: then it may hold the digit too."""
        outer = self.mass[self.why == REASONS.index(Reason.OUTER)]
        return self.main_is_outer or float(outer.sum()) > self.ink

    @property
    def parts(self) -> int:
        """How many components make up the digit."""
        return int(np.count_nonzero(self.why == KEPT))

    def ignored(self) -> list[tuple[float, Reason, tuple[int, int, int, int]]]:
        """Ink, reason and box (left, top, right, bottom; in pixels) of each component that is not a part of it."""
        ends = np.stack(boxes(self.labels, len(self.why))) * self.cell
        return [
            (float(self.mass[component]), REASONS[why], (left, top, right, bottom))
            for component, (why, (top, bottom, left, right)) in enumerate(
                zip(self.why.tolist(), ends.T.tolist(), strict=True)
            )
            if component and why != KEPT
        ]


def digit_mask(ink: np.ndarray) -> np.ndarray:
    """Find the components that make up the digit: the mask of `digit_components`."""
    return digit_components(ink).mask


def digit_components(ink: np.ndarray) -> Components:
    """Tell the components of an image apart, and which of them make up the digit.

    Args:
        ink: float32 [H, W], 0 = background.
    """
    height, width = ink.shape
    cell = -(-max(height, width) // GRID)
    cells = _cells(ink, cell) if cell > 1 else ink
    labels = label(cells > 0)
    mass = np.bincount(labels.ravel(), cells.ravel())
    mass[0] = 0
    if len(mass) > 2:
        why, is_outer = _judged(labels, mass)
    else:
        why = np.array([REASONS.index(Reason.SPECK), KEPT])[: len(mass)]  # no ink is no component
        is_outer = len(mass) == 2 and _is_outer_alone(labels)
    return Components(labels, mass, why, is_outer, cell, (height, width))


def _is_outer_alone(labels: np.ndarray) -> bool:
    """Whether the only component would be taken as a page's edge or a frame: the rule of `_judged`."""
    high, wide = (int(np.ptp(np.flatnonzero(labels.any(axis)))) + 1 for axis in (1, 0))
    height, width = labels.shape
    contact = sum(map(np.count_nonzero, (labels[0], labels[-1], labels[:, 0], labels[:, -1])))
    across = high > ACROSS * height and wide > ACROSS * width
    return across or contact > BORDER_CONTACT * max(high, wide)


def _cells(ink: np.ndarray, cell: int) -> np.ndarray:
    """The ink in each square of `cell` pixels a side; the last ones reach beyond the image."""
    for _ in range(2):  # along each axis: a few sums of whole lines are quicker than one of many squares
        lines = np.zeros((-(-len(ink) // cell) * cell, ink.shape[1]), ink.dtype)
        lines[: len(ink)] = ink
        ink = np.add.reduce([lines[start::cell] for start in range(cell)]).T
    return ink


def label(mask: np.ndarray) -> np.ndarray:
    """Connected components with eight neighbors: int [H, W], 0 = none, numbered from 1 by their first row.

    A run is a row's unbroken stretch. Runs that touch in adjacent rows are united (union-find).
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)  # a row's last run ends before the next row begins
    padded[:, 1:-1] = mask
    edges = np.flatnonzero(np.diff(padded.ravel()))
    starts, ends = edges[::2], edges[1::2]
    roots = _united(starts, ends, width + 2)
    firsts = roots == np.arange(len(roots))
    numbers = np.cumsum(firsts)[roots]
    labels = np.zeros(mask.shape, np.intp)
    labels[mask] = np.repeat(numbers, ends - starts)  # both go row by row, left to right
    return labels


def _united(starts: np.ndarray, ends: np.ndarray, row: int) -> np.ndarray:
    """For each run the first one it is connected with. Places count along rows of `row` pixels."""
    # The runs of the next row that touch run i: none of them ends before it starts, or starts after it ends.
    low = np.searchsorted(ends, starts + row)
    high = np.searchsorted(starts, ends + row, side="right")
    root = list(range(len(starts)))  # never above the run itself

    def find(run: int) -> int:
        while root[run] != run:
            run = root[run]
        return run

    for run, (first, last) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        for other in range(first, last):
            if root[other] == other:
                root[other] = root[run]
            else:
                one, two = find(run), find(other)
                root[max(one, two)] = min(one, two)
    for run, above in enumerate(root):
        root[run] = root[above]
    return np.array(root, dtype=np.intp)


def _judged(labels: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, bool]:
    """For each label why it is no part of the digit, or `KEPT`, given the ink of each: int [components + 1].

    And whether the main component is an outer one.
    """
    top, bottom, left, right = boxes(labels, len(mass))
    extent = np.maximum(bottom - top, right - left)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    contact = np.bincount(border, minlength=len(mass)) / np.maximum(extent, 1)
    height, width = labels.shape
    outer = (contact > BORDER_CONTACT) | ((bottom - top > ACROSS * height) & (right - left > ACROSS * width))
    unlikely = outer | (extent < MIN_EXTENT * max(height, width))
    weight = np.where(unlikely, OUTER_WEIGHT, 1.0) * np.where(contact > 0, BORDER_WEIGHT, 1.0)
    main = int(np.argmax(mass * weight))

    gap_y = np.maximum(top - bottom[main], top[main] - bottom)
    gap_x = np.maximum(left - right[main], left[main] - right)
    gap = np.maximum(gap_x, gap_y) / max(extent[main], 1)
    far = gap > np.where(contact > 0, PART_GAP_AT_BORDER, PART_GAP)
    speck = mass <= PART_INK * mass[main]
    why = np.select([outer, speck, far], range(3), default=KEPT)  # in the order of REASONS
    why[main] = KEPT
    return why, bool(outer[main])


def boxes(labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each label its first row, the row after its last, and the same for columns."""
    rows, columns = np.nonzero(labels)
    which = labels[rows, columns]
    ends = []
    for places in (rows, columns):
        low, high = np.full(count, max(labels.shape)), np.zeros(count, np.intp)
        np.minimum.at(low, which, places)
        np.maximum.at(high, which, places + 1)
        ends += [low, high]
    return ends[0], ends[1], ends[2], ends[3]
