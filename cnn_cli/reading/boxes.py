"""Where the characters of a strip are: their boxes, and the ink that belongs to none of them."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cnn_cli.image.strips import DIGITS, SIDES

Pixels = NDArray[np.uint8]
"""A strip [H, W]: 0 = background, 255 = full ink."""

Columns = tuple[int, int]
"""First column and the one after the last, in pixels of the strip."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the strip; right and bottom lie just outside."""

INKED = 90
"""Ink above which a pixel belongs to a box, 0..255; less for a character of faint ink."""

GAP = 4
"""Blank columns that end a box."""

# What was left out may be a digit if its height (1 = the digits' height) and its width (1 = its own height)
# are in these ranges: edges, rules and pieces of strokes are narrower.
HEIGHTS, WIDTHS = (0.7, 1.35), (0.45, 1.3)


def _middles(columns: Sequence[Columns], width: int) -> list[int]:
    return [min(width - 1, (start + end) // 2) for start, end in columns]


def is_beside(strip: Pixels, middle: float) -> bool:
    """Return whether a column lies to the left or right of the row of digits that a strip shows."""
    height, width = strip.shape
    margin = SIDES * DIGITS * height
    return not margin <= middle <= width - margin


def cuts_between(strip: Pixels, columns: Sequence[Columns]) -> list[int]:
    """Return the column with the least ink between each character and the next."""
    ink = strip.sum(axis=0, dtype=np.int64)
    return [
        left + int(ink[left : right + 1].argmin()) for left, right in pairwise(_middles(columns, len(ink)))
    ]


def stand_apart(strip: Pixels, cuts: Sequence[int]) -> list[bool]:
    """Return for each character whether there is no ink at the cuts beside it."""
    blank = np.asarray((strip[:, cuts] <= INKED).all(axis=0))
    free = [True, *blank.tolist(), True]
    return [left and right for left, right in pairwise(free)]


def boxes_of(strip: Pixels, columns: Sequence[Columns], cuts: Sequence[int]) -> list[Box]:
    """Return the box of each character in the strip: the ink around its columns, up to the next character."""
    height, width = strip.shape
    boxes = []
    for middle, low, high in zip(_middles(columns, width), [0, *cuts], [*cuts, width], strict=True):
        start = max(low, middle - height)
        part = strip[:, start : max(middle + 1, min(high, middle + height))]
        ink = part > min(INKED, int(part.max()) // 2)  # beside dark digits there may be faint ones
        inked = np.asarray(ink.any(axis=0))
        left = _reach(inked, middle - start, 0, -1)
        right = max(left, _reach(inked, middle - start, len(inked) - 1, 1)) + 1
        rows = np.flatnonzero(ink[:, left:right].any(axis=1))
        top, bottom = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, height)
        boxes.append((start + left, top, start + right, bottom))
    return boxes


def left_out_boxes(strip: Pixels, columns: Sequence[Columns]) -> list[Box]:
    """Return the boxes of ink that stands apart, has the size of a digit, and belongs to no character.

    Args:
        strip: of one row of digits.
        columns: of its characters.
    """
    ink = strip > INKED
    digits, middles = DIGITS * len(strip), _middles(columns, strip.shape[1])
    inked = np.concatenate([[False], ink.any(axis=0), [False]])
    edges = np.flatnonzero(np.diff(inked.astype(np.int8))).tolist()
    boxes = []
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        rows = np.flatnonzero(ink[:, left:right].any(axis=1))
        box = left, int(rows[0]), right, int(rows[-1]) + 1
        tall, wide = (box[3] - box[1]) / digits, (right - left) / (box[3] - box[1])
        is_read = any(left <= middle < right for middle in middles)
        is_of_the_row = not is_read and not is_beside(strip, (left + right) / 2)
        if is_of_the_row and _within(tall, HEIGHTS) and _within(wide, WIDTHS):
            boxes.append(box)
    return boxes


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def ink_of(strip: Pixels, box: Box) -> Pixels:
    """Return the part of a strip in a box."""
    left, top, right, bottom = box
    return strip[top:bottom, left:right]


def _reach(inked: np.ndarray, start: int, limit: int, step: int) -> int:
    """Return the last inked column from `start` on towards `limit`, before a gap of `GAP` blank ones."""
    reached, blank = start, 0
    for column in range(start, limit + step, step):
        blank = 0 if inked[column] else blank + 1
        if blank == GAP:
            break
        if inked[column]:
            reached = column
    return reached
