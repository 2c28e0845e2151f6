"""The 1 and the 7 of straight strokes, as with a ruler: their flag and their stem alone set them apart."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Ink = NDArray[np.float32]

FINE = 96
"""Height of a drawn digit in pixels; it is scaled afterwards."""

# Width of the flag or bar in heights, its slope, and how far the stem leans to the left, in heights.
ONE = (0.12, 0.55), (0.6, 1.4), (-0.12, 0.12)
SEVEN = (0.36, 0.7), (-0.08, 0.28), (0.12, 0.65)

THICK = (0.04, 0.28)
"""Range of the stroke's width, in heights."""

FOOT = 0.25
"""Probability that a 1 has a foot, and a 7 is crossed."""


def ruled(digit: int, rng: np.random.Generator) -> Ink:
    """Draw a 1 or a 7: float32 [H, W], 0 = background, 1 = ink; form and stroke width are random."""
    width, slope, lean = (rng.uniform(*bounds) for bounds in (ONE if digit == 1 else SEVEN))
    thick = round(FINE * rng.uniform(*THICK))
    right, top = 1.5 * FINE, thick
    end = right - lean * FINE, top + FINE
    strokes: list[tuple[float, float, float, float]] = [
        (right, top, *end),
        (right - width * FINE, top + slope * width * FINE, right, top),
    ]
    if rng.random() < FOOT:
        x, y, reach = (*end, 0.25) if digit == 1 else ((right + end[0]) / 2, top + FINE / 2, 0.22)
        strokes.append((x - reach * FINE, y, x + reach * FINE, y))
    image = Image.new("L", (2 * FINE + FINE, FINE + 2 * thick))
    draw = ImageDraw.Draw(image)
    for start_x, start_y, end_x, end_y in strokes:
        draw.line((start_x, start_y, end_x, end_y), fill=255, width=thick)
        if rng.random() < 0.5:  # a round pen
            for x, y in ((start_x, start_y), (end_x, end_y)):
                draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)
    return np.asarray(image.crop(image.getbbox()), np.float32) / np.float32(255)
