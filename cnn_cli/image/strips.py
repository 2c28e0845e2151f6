"""Rows of digits -> strips of one height, in which the digits have one size and stand on a level line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_cli.image.rows import row_height
from cnn_cli.image.text_components import Component, TextInk

DIGITS = 0.68
"""The digits' height as a share of the strip's, as in the composed lines on which networks are trained."""

SIDES = 1.0
"""What a strip shows to the left and right of a row (1 = the digits' height): a network needs the background
around the first and last digit, and digits that were not found may stand there."""

WIDEST = 8192
"""Upper limit of a strip's width in pixels: 360 digits, more than an image of 1600 pixels has in a row."""


@dataclass(frozen=True)
class Strip:
    """A part of an image, cut out along a row, and where it lies."""

    pixels: NDArray[np.uint8]
    """[H, W], 0 = background, 255 = full ink."""
    left: float
    """Position in the image of the strip's first column."""
    top: float
    """Position in the image of the strip's first row, at its first column."""
    scale: float
    """Pixels of the image for each pixel of the strip."""
    slope: float
    """Pixels of the image down for each to the right."""

    def box(self, left: int, top: int, right: int, bottom: int) -> tuple[float, float, float, float]:
        """Return the box in the image around a box in the strip (left, top, right, bottom)."""
        lefts = self.left + self.scale * left, self.left + self.scale * right
        drop = [self.slope * self.scale * column for column in (left, right)]
        upper = self.top + self.scale * top + min(drop)
        lower = self.top + self.scale * bottom + max(drop)
        return lefts[0], upper, lefts[1], lower


def strip_of_row(ink: np.ndarray, row: Sequence[Component], height: int) -> Strip:
    """Cut the strip along a row out of an image.

    Args:
        ink: all ink of the image, float32 [H, W], 0 = background, 1 = full ink.
        row: the components of the row, from left to right.
        height: of the strip, in pixels.
    """
    digits = row_height(row)
    slope, middle = _line_through(row)
    side = SIDES * digits
    left, right = row[0].left - side, max(each.right for each in row) + side
    scale = digits / (DIGITS * height)
    top = middle + slope * left - scale * height / 2
    return _cut(ink, left, top, right - left, scale, slope, height)


def strips_of_one_line(text: TextInk, height: int) -> list[Strip]:
    """Return strips of an image that may be a single line: all components as one row, and the whole image.

    The segments of a display form rows of their own, and a digit may fill its image.
    """
    left, top = (min(getattr(each, side) for each in text.components) for side in ("left", "top"))
    right, bottom = (max(getattr(each, side) for each in text.components) for side in ("right", "bottom"))
    rows, columns = text.ink.shape
    free = rows * (1 - DIGITS) / 2
    boxes = (left, top, right, bottom), (0, free, columns, rows - free)
    return [_strip_of_box(text.ink, box, height) for box in boxes]


def _strip_of_box(ink: np.ndarray, box: tuple[float, float, float, float], height: int) -> Strip:
    """Return the strip in which a box (left, top, right, bottom) has the digits' height."""
    left, top, right, bottom = box
    digits = bottom - top
    scale, side = digits / (DIGITS * height), SIDES * digits
    upper = (top + bottom) / 2 - scale * height / 2
    return _cut(ink, left - side, upper, right - left + 2 * side, scale, 0.0, height)


def _cut(
    ink: np.ndarray, left: float, top: float, width: float, scale: float, slope: float, height: int
) -> Strip:
    columns = int(np.clip(math.ceil(width / scale), height, WIDEST))
    reduction = max(1, math.floor(scale))  # averaged first: the transform samples points, and would lose ink
    source = Image.fromarray(ink)
    if reduction > 1:
        source = source.reduce(reduction)
    step, x, y = scale / reduction, left / reduction, top / reduction
    matrix = (step, 0.0, x, slope * step, step, y)
    cut = source.transform((columns, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    pixels = np.rint(255 * np.asarray(cut).clip(0, 1)).astype(np.uint8)
    return Strip(pixels, left, top, scale, slope)


def _line_through(row: Sequence[Component]) -> tuple[float, float]:
    """Return the slope of a row, and the height at which its middle line meets the image's left side."""
    x = np.array([each.left + each.width / 2 for each in row])
    y = np.array([each.top + each.height / 2 for each in row])
    weights = np.array([float(each.width) for each in row])
    center, middle = np.average(x, weights=weights), np.average(y, weights=weights)
    spread = float((weights * (x - center) ** 2).sum())
    slope = float((weights * (x - center) * (y - middle)).sum()) / spread if spread > 0 else 0.0
    if len(row) < 4 or abs(slope) > 0.3:  # the heights of few digits differ by more than a row rises
        slope = 0.0
    return slope, float(middle - slope * center)
