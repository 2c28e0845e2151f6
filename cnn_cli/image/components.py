"""Ink -> the connected components of the digit, without specks, page edges, frames or other digits."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

# Components are labeled on a grid of at most this many cells per side: fine enough to separate two strokes of
# a digit that fills a third of the image, coarse enough to close a stroke's small gaps.
GRID = 96

# The digit's main component is at least this long, as a share of the image's longer side: in 504 images that
# people made, the smallest digit had 0.39 of the height.
MIN_EXTENT = 0.15

# A component with more than BORDER_CONTACT of its length along the image's border is a page's edge or a desk;
# one that spans more than ACROSS of both sides is a frame. It is the digit only if there is nothing else: its
# ink is weighted with OUTER_WEIGHT.
BORDER_CONTACT = 0.5
ACROSS = 0.9
OUTER_WEIGHT = 1e-3

# A component that touches the border may be another digit that the image's edge cuts.
BORDER_WEIGHT = 0.25

# A further component belongs to the digit if it has this share of the main component's ink and lies this
# close to it or to its other parts (1 = the main component's extent): the bar of a 5, the dots of a broken
# stroke. A speck has less ink; a digit that the image's edge cuts lies farther away than a part of this digit
# that touches the edge.
PART_INK = 0.03
PART_GAP, PART_GAP_AT_BORDER = 0.25, 0.1


class Reason(StrEnum):
    """Why a component is not part of the digit."""

    OUTER = "the edge of a page, or a frame"
    SPECK = "too little ink"
    FAR = "too far from the digit"


REASONS = tuple(Reason)
KEPT = -1
"""Instead of an index into `REASONS`: the component is part of the digit."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom; right and bottom lie just outside."""

Bounds = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""The first row of each of several components, the row after its last, and the same for columns."""


@dataclass(frozen=True)
class Components:
    """The connected components in an image of one digit, labeled on a grid of cells."""

    labels: np.ndarray
    """The component in each cell, int [rows, columns], 0 = none."""
    mass: np.ndarray
    """The ink of each component, float [components + 1]; that of 0 does not count."""
    reasons: np.ndarray
    """For each component an index into `REASONS`, or `KEPT`: int [components + 1]."""
    main_is_outer: bool
    """Whether the main component looks like a page's edge or a frame; it is kept for lack of a better one."""
    cell: int
    """Side of a cell in pixels."""
    shape: tuple[int, int]
    """Height and width of the image."""

    @property
    def mask(self) -> np.ndarray:
        """bool [H, W]: true in every cell that the digit touches; all false without ink."""
        return self._mask_of(self.reasons == KEPT)

    @property
    def main_mask(self) -> np.ndarray:
        """bool [H, W]: true in every cell of the component of the digit that has most ink."""
        kept = np.where(self.reasons == KEPT, self.mass, -1)
        return self._mask_of(np.arange(len(kept)) == kept.argmax())

    def _mask_of(self, components: np.ndarray) -> np.ndarray:
        """Return bool [H, W]: true in every cell of the components that are true in bool [components + 1]."""
        mask: np.ndarray = components[self.labels]
        if self.cell > 1:
            mask = mask.repeat(self.cell, axis=0).repeat(self.cell, axis=1)
        return mask[: self.shape[0], : self.shape[1]]

    @property
    def ink(self) -> float:
        """How much ink the digit has; 0 if the main component is an outer one."""
        return 0.0 if self.main_is_outer else float(self.mass[self.reasons == KEPT].sum())

    @property
    def may_hide_digit(self) -> bool:
        """Whether a page's edge or a frame has more ink than the digit, and may be connected with it."""
        outer = self.mass[self.reasons == REASONS.index(Reason.OUTER)]
        return self.main_is_outer or float(outer.sum()) > self.ink

    @property
    def kept(self) -> int:
        """The number of components that make up the digit."""
        return int(np.count_nonzero(self.reasons == KEPT))

    def ignored(self) -> list[tuple[float, Reason, Box]]:
        """Return ink, reason and box (in pixels) of each component that is not part of the digit."""
        ends = np.stack(bounding_boxes(self.labels, len(self.reasons))) * self.cell
        return [
            (float(self.mass[number]), REASONS[reason], (left, top, right, bottom))
            for number, (reason, (top, bottom, left, right)) in enumerate(
                zip(self.reasons.tolist(), ends.T.tolist(), strict=True)
            )
            if number and reason != KEPT
        ]


def find_digit_components(ink: np.ndarray) -> Components:
    """Label the components of an image and decide which of them make up the digit.

    Args:
        ink: float32 [H, W], 0 = background.
    """
    height, width = ink.shape
    cell = -(-max(height, width) // GRID)
    cells = _sum_cells(ink, cell) if cell > 1 else ink
    labels = label(cells > 0)
    mass = np.bincount(labels.ravel(), cells.ravel())
    mass[0] = 0
    if len(mass) > 2:
        reasons, is_outer = _classify(labels, mass)
    else:
        reasons = np.array([REASONS.index(Reason.SPECK), KEPT])[: len(mass)]  # label 0 is no component
        is_outer = len(mass) == 2 and _single_is_outer(labels)
    return Components(labels, mass, reasons, is_outer, cell, (height, width))


def _single_is_outer(labels: np.ndarray) -> bool:
    """Return whether the only component looks like a page's edge or a frame, by the rule of `_classify`."""
    rows, columns = (int(np.ptp(np.flatnonzero(labels.any(axis)))) + 1 for axis in (1, 0))
    height, width = labels.shape
    contact = sum(map(np.count_nonzero, (labels[0], labels[-1], labels[:, 0], labels[:, -1])))
    across = rows > ACROSS * height and columns > ACROSS * width
    return bool(across or contact > BORDER_CONTACT * max(rows, columns))


def _sum_cells(ink: np.ndarray, cell: int) -> np.ndarray:
    """Return the ink in each square of `cell` pixels a side; the last squares extend beyond the image."""
    for _ in range(2):  # one axis at a time: a few sums of lines are faster than one sum of many squares
        lines = np.zeros((-(-len(ink) // cell) * cell, ink.shape[1]), ink.dtype)
        lines[: len(ink)] = ink
        ink = np.add.reduce([lines[start::cell] for start in range(cell)]).T
    return ink


def label(mask: np.ndarray) -> np.ndarray:
    """Label 8-connected components: int [H, W], 0 = none, numbered from 1 by their first row.

    Works on runs, the unbroken stretches of a row. Runs that touch in adjacent rows are joined by union-find.
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)  # a row's last run ends before the next row begins
    padded[:, 1:-1] = mask
    edges = np.flatnonzero(np.diff(padded.ravel()))
    starts, ends = edges[::2], edges[1::2]
    roots = _connect_runs(starts, ends, width + 2)
    firsts = roots == np.arange(len(roots))
    numbers = np.cumsum(firsts)[roots]
    labels = np.zeros(mask.shape, np.intp)
    labels[mask] = np.repeat(numbers, ends - starts)  # both are in row-major order
    return labels


def _connect_runs(starts: np.ndarray, ends: np.ndarray, row: int) -> np.ndarray:
    """Return for each run the first run that it is connected with.

    Args:
        starts: position of each run's first pixel in the flattened image.
        ends: position behind each run's last pixel.
        row: pixels per row.
    """
    # The runs of the next row that touch run i: none of them ends before it starts, or starts after it ends.
    low = np.searchsorted(ends, starts + row)
    high = np.searchsorted(starts, ends + row, side="right")
    root = list(range(len(starts)))  # root[i] <= i

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


def _classify(labels: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, bool]:
    """Decide for each component why it is not part of the digit, or `KEPT`: int [components + 1].

    Also return whether the main component is an outer one.
    """
    top, bottom, left, right = bounding_boxes(labels, len(mass))
    extent = np.maximum(bottom - top, right - left)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    contact = np.bincount(border, minlength=len(mass)) / np.maximum(extent, 1)
    height, width = labels.shape
    outer = (contact > BORDER_CONTACT) | ((bottom - top > ACROSS * height) & (right - left > ACROSS * width))
    unlikely = outer | (extent < MIN_EXTENT * max(height, width))
    weight = np.where(unlikely, OUTER_WEIGHT, 1.0) * np.where(contact > 0, BORDER_WEIGHT, 1.0)
    main = int(np.argmax(mass * weight))

    speck = mass <= PART_INK * mass[main]
    limit = np.where(contact > 0, PART_GAP_AT_BORDER, PART_GAP) * max(extent[main], 1)
    far = _far_from_digit((top, bottom, left, right), main, ~(outer | speck), limit)
    reasons = np.select([outer, speck, far], range(3), default=KEPT)  # in the order of REASONS
    reasons[main] = KEPT
    return reasons, bool(outer[main])


def _far_from_digit(bounds: Bounds, main: int, may_be_part: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Return which components are too far from the digit, bool [components + 1].

    The digit grows by its parts: a dot of a broken stroke is close to the dot before it.

    Args:
        bounds: of the components.
        main: the component that the digit grows from.
        may_be_part: which components may be parts of it, bool [components + 1].
        limit: for each component the largest distance of a part, in cells.
    """
    top, bottom, left, right = bounds
    digit = np.arange(len(limit)) == main
    while True:
        gap_y = np.maximum(top - bottom[digit].max(), top[digit].min() - bottom)
        gap_x = np.maximum(left - right[digit].max(), left[digit].min() - right)
        far: np.ndarray = np.maximum(gap_x, gap_y) > limit
        grown = digit | (may_be_part & ~far)
        if (grown == digit).all():
            return far
        digit = grown


def bounding_boxes(labels: np.ndarray, count: int) -> Bounds:
    """Return each label's first row, the row after its last, and the same for columns: int [count] each."""
    rows, columns = np.nonzero(labels)
    numbers = labels[rows, columns]
    ends = []
    for positions in (rows, columns):
        low, high = np.full(count, max(labels.shape)), np.zeros(count, np.intp)
        np.minimum.at(low, numbers, positions)
        np.maximum.at(high, numbers, positions + 1)
        ends += [low, high]
    return ends[0], ends[1], ends[2], ends[3]
