"""Ink -> which of its marks make up the digit: no specks, page edges, frames or neighbours."""

import numpy as np

# Marks are told apart on a grid of at most this many cells a side: fine enough for two strokes of a digit
# that fills a third of the picture, coarse enough that a stroke's small gaps close.
GRID = 96

# The digit's main mark is at least this long, as a share of the picture's longer side: of 504 people's
# pictures the smallest digit had 0.39 of the height.
MIN_EXTENT = 0.15

# What runs along the border for over half of its length is a page's edge or a desk; what reaches across this
# share of both sides is a frame. Either can be the digit only where nothing else is.
BORDER_CONTACT = 0.5
ACROSS = 0.9
OUTER_WEIGHT = 1e-3

# A mark that touches the border may be a neighbour that the picture's edge cuts.
BORDER_WEIGHT = 0.25

# A further mark belongs to the digit if it has this share of the main mark's ink and lies this close to it
# (1 = the main mark's extent): the bar of a 5, a part of a broken stroke. A speck has less ink; a neighbour
# that the picture's edge cuts lies farther away than a part that touches the edge.
PART_INK = 0.03
PART_GAP, PART_GAP_AT_BORDER = 0.25, 0.1


def digit_mask(ink: np.ndarray) -> np.ndarray:
    """Find the marks that make up the digit.

    Args:
        ink: float32 [H, W], 0 = paper.

    Returns:
        bool [H, W], true on the digit and in the cells that it touches; all false where there is no ink.
    """
    height, width = ink.shape
    cell = -(-max(height, width) // GRID)
    padded = np.pad(ink, ((0, -height % cell), (0, -width % cell)))
    cells = padded.reshape(padded.shape[0] // cell, cell, padded.shape[1] // cell, cell).sum(axis=(1, 3))
    labels = label(cells > 0)
    keep = _belonging(labels, np.bincount(labels.ravel(), cells.ravel()))
    mask: np.ndarray = keep[labels].repeat(cell, axis=0).repeat(cell, axis=1)
    return mask[:height, :width]


def label(mask: np.ndarray) -> np.ndarray:
    """Connected marks with eight neighbours: int [H, W], 0 = none, numbered from 1 by their first row.

    A run is a row's unbroken stretch. Runs that touch in adjacent rows are united (union-find).
    """
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    roots = _united(np.searchsorted(rows, np.arange(len(mask) + 1)).tolist(), starts.tolist(), ends.tolist())
    numbers = np.unique(roots, return_inverse=True)[1] + 1
    labels = np.zeros(mask.shape, np.intp)
    labels[mask] = np.repeat(numbers, ends - starts)  # both go row by row, left to right
    return labels


def _united(first: list[int], starts: list[int], ends: list[int]) -> np.ndarray:
    """For each run the first one it is connected with. Row r has the runs first[r] to first[r + 1] - 1."""
    root = list(range(len(starts)))

    def find(run: int) -> int:
        while root[run] != run:
            root[run] = run = root[root[run]]
        return run

    for row in range(1, len(first) - 1):
        above, here = first[row - 1], first[row]
        while above < first[row] and here < first[row + 1]:
            if starts[above] <= ends[here] and starts[here] <= ends[above]:
                one, other = find(above), find(here)
                root[max(one, other)] = min(one, other)
            if ends[above] < ends[here]:
                above += 1
            else:
                here += 1
    return np.array([find(run) for run in range(len(root))], dtype=np.intp)


def _belonging(labels: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """bool [marks + 1]: which labels make up the digit, given the ink of each."""
    mass[0] = 0
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
    near = gap <= np.where(contact > 0, PART_GAP_AT_BORDER, PART_GAP)
    keep: np.ndarray = near & (mass > PART_INK * mass[main]) & ~outer
    keep[main] = mass[main] > 0
    return keep


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
