"""Drawn 1s and 7s that are nearly alike: a 1 has a steep flag, a 7 a flat bar and a leaning stem."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE, FINE = 28, 4
"""Side of an image in pixels; drawn this many times larger and averaged, so that strokes have soft edges."""

TOP, BOTTOM = 4, 23
"""Rows of the stem's ends."""

STROKES = (1, 2, 3, 4, 5)
"""Stroke widths in pixels."""

Digit = NDArray[np.uint8]
Point = tuple[float, float]


def ones() -> Iterator[Digit]:
    """Yield 1s with flags of 3 to 9 pixels to the left at slopes of 0.6 to 1.2: uint8 [28, 28]."""
    flags, slopes, stems = range(3, 10), (0.6, 0.8, 1.0, 1.2), (13, 15)
    for stroke, flag, slope, stem in product(STROKES, flags, slopes, stems):
        yield _drawn(stroke, (stem, TOP), (stem, BOTTOM), (stem - flag, TOP + flag * slope))


def sevens() -> Iterator[Digit]:
    """Yield 7s with bars of 8 pixels or more, at slopes below 0.3, and stems that lean."""
    bars, slopes, leans = (8, 9, 10, 12), (0, 0.1, 0.2, 0.29), (0.2, 0.4, 0.6)
    for stroke, bar, slope, lean in product(STROKES, bars, slopes, leans):
        end = 19 - (BOTTOM - TOP) * lean
        yield _drawn(stroke, (19, TOP + 1), (end, BOTTOM), (19 - bar, TOP + 1 + bar * slope))


def _drawn(stroke: int, top: Point, bottom: Point, flag: Point) -> Digit:
    image = Image.new("L", (SIDE * FINE, SIDE * FINE))
    draw = ImageDraw.Draw(image)
    for start, end in ((top, bottom), (flag, top)):
        ends = [FINE * place + FINE / 2 for point in (start, end) for place in point]
        draw.line(ends, fill=255, width=stroke * FINE)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))
