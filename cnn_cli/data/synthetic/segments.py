"""Digits of displays: seven segments, and dots of a matrix."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cnn_cli.image.normalize import crop

Ink = NDArray[np.float32]

SEGMENTS = ("abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg")
"""The lit segments of each digit: a is the upper bar, then clockwise; g is the middle bar."""

WITHOUT_TAIL = {6: "cdefg", 7: "abcf", 9: "abcfg"}
"""Other ways that displays have for a digit."""

MATRIX = (
    "01110 10001 10011 10101 11001 10001 01110",
    "00100 01100 00100 00100 00100 00100 01110",
    "01110 10001 00001 00010 00100 01000 11111",
    "11111 00010 00100 00010 00001 10001 01110",
    "00010 00110 01010 10010 11111 00010 00010",
    "11111 10000 11110 00001 00001 10001 01110",
    "00110 01000 10000 11110 10001 10001 01110",
    "11111 00001 00010 00100 01000 01000 01000",
    "01110 10001 10001 01110 10001 10001 01110",
    "01110 10001 10001 01111 00001 00010 01100",
)
"""Rows of dots of the common matrix of 5x7."""

SMALL_MATRIX = (
    "111 101 101 101 111",
    "010 110 010 010 111",
    "111 001 111 100 111",
    "111 001 111 001 111",
    "101 101 111 001 001",
    "111 100 111 001 111",
    "111 100 111 101 111",
    "111 001 001 010 010",
    "111 101 111 101 111",
    "111 101 111 001 111",
)
"""Rows of dots of a matrix of 3x5."""

FINE = 96
"""Height of a drawn digit in pixels; it is scaled afterwards."""


def seven_segments(digit: int, rng: np.random.Generator) -> Ink:
    """Draw a digit of a seven-segment display: float32 [H, W], 0 = background, 1 = lit.

    Width, thickness, gaps, slant and the dim unlit segments are drawn at random.
    """
    lit = WITHOUT_TAIL[digit] if digit in WITHOUT_TAIL and rng.random() < 0.25 else SEGMENTS[digit]
    width, thick = FINE * rng.uniform(0.42, 0.7), FINE * rng.uniform(0.06, 0.2)
    gap, slant, ghost = thick * rng.uniform(0, 0.35), rng.uniform(0, 0.18), rng.uniform(0, 0.2)
    image = Image.new("L", (2 * FINE, FINE + 8))
    draw = ImageDraw.Draw(image)
    show_unlit = rng.random() < 0.2
    for name, outline in _outlines(width, thick, gap).items():
        if name in lit or show_unlit:
            points = [(8 + x + slant * (FINE - y), 4 + y) for x, y in outline]
            draw.polygon(points, fill=255 if name in lit else round(255 * ghost))
    return crop(np.asarray(image, np.float32) / np.float32(255))


def dots(digit: int, rng: np.random.Generator) -> Ink:
    """Draw a digit of a dot matrix or of a pixel font: float32 [H, W], 0 = background, 1 = lit."""
    is_large = rng.random() < 0.6
    rows = (MATRIX if is_large else SMALL_MATRIX)[digit].split()
    on = np.array([[float(dot) for dot in row] for row in rows], np.float32)
    if is_large and rng.random() < 0.3:  # bold: every dot also fills the place to its right
        wide = np.pad(on, ((0, 0), (0, 1)))
        wide[:, 1:] = np.maximum(wide[:, 1:], wide[:, :-1])
        on = wide
    height = int(rng.integers(8, 14))
    width = max(4, round(height * rng.uniform(0.7, 1.15)))
    large = np.kron(on, np.ones((height, width), np.float32))
    if rng.random() < 0.35:  # separate dots
        y, x = (np.arange(side) % step for side, step in zip(large.shape, (height, width), strict=True))
        large *= ((y < 0.85 * height)[:, None] & (x < 0.85 * width)).astype(np.float32)
    return large


def _outlines(width: float, thick: float, gap: float) -> dict[str, list[tuple[float, float]]]:
    """Return the corners of each segment, in a box of `width` x `FINE`."""
    half, middle = thick / 2, FINE / 2

    def bar(y: float) -> list[tuple[float, float]]:
        left, right = half + gap, width - half - gap
        return [
            (left, y),
            (left + half, y - half),
            (right - half, y - half),
            (right, y),
            (right - half, y + half),
            (left + half, y + half),
        ]

    def post(x: float, top: float, bottom: float) -> list[tuple[float, float]]:
        top, bottom = top + gap, bottom - gap
        return [
            (x, top),
            (x + half, top + half),
            (x + half, bottom - half),
            (x, bottom),
            (x - half, bottom - half),
            (x - half, top + half),
        ]

    left, right = half, width - half
    return {
        "a": bar(half),
        "b": post(right, half, middle),
        "c": post(right, middle, FINE - half),
        "d": bar(FINE - half),
        "e": post(left, middle, FINE - half),
        "f": post(left, half, middle),
        "g": bar(middle),
    }
