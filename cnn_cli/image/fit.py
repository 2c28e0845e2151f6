"""Ink -> the normalized digit that MNIST trains on. One definition for everything that prepares images."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnn_cli.image.quantiles import quantile

# Stroke widths in the box of 20 pixels, by `stroke_width`: of MNIST's training digits 1 % lie under 1.44 and
# half under 2.36. Strokes thinner than nearly all of them are brought to a usual width.
MIN_STROKE = 1.4
STROKE = 2.0

# Strokes are thickened on a grid this many times finer than the result, so that edges come out smooth.
FINE = 4


@dataclass(frozen=True)
class Fitted:
    """A digit normalized as MNIST's are, and what was done for that."""

    pixels: np.ndarray
    """uint8 [size, size], 0 = background, 255 = ink; all 0 where there is no ink."""
    stroke: float
    """Width of its strokes when it is as large as in the result, in pixels, before they are thickened."""
    thickened: bool
    """Whether they were thinner than MNIST's and brought to its width."""
    scale: float
    """Pixels of the result for each pixel of the ink."""
    corner: tuple[int, int]
    """Where in the result the digit's box has its left upper corner: column, row."""


def fit(ink: np.ndarray, size: int = 28, box: int = 20) -> np.ndarray:
    """Normalize one digit as MNIST does: the pixels of `fitted`."""
    return fitted(ink, size, box).pixels


def fitted(ink: np.ndarray, size: int = 28, box: int = 20) -> Fitted:
    """Normalize one digit as MNIST does: into a box of 20x20, then its center of mass to the center of 28x28.

    Strokes thinner than MNIST's are brought to MNIST's width, so that a hairline does not vanish.

    Args:
        ink: float [H, W], 0 = background, 1 = ink; everything that is not 0 belongs to the digit.
        size: side of the result in pixels.
        box: longer side of the digit in the result, in pixels.
    """
    if not ink.any():
        return Fitted(np.zeros((size, size), np.uint8), 0.0, False, 1.0, (0, 0))
    digit = _crop(ink)
    small = _resize(digit, box)
    stroke = stroke_width(small)
    thin = stroke < MIN_STROKE
    if thin:
        small = _thickened(digit, box)
    small = np.rint(small * 255).astype(np.uint8)
    top, left = _place(small, size)
    pixels = np.zeros((size, size), np.uint8)
    pixels[top : top + small.shape[0], left : left + small.shape[1]] = small
    return Fitted(pixels, stroke, thin, box / max(digit.shape), (left, top))


def stroke_width(ink: np.ndarray) -> float:
    """Mean stroke width in pixels: twice the area over the length of the outline.

    A stroke of length L and width w has the area L*w and an outline of 2*L. The outline's length is the
    total variation, which needs no threshold and so also holds for gray edges.
    """
    padded = np.zeros((ink.shape[0] + 2, ink.shape[1] + 2), ink.dtype)
    padded[1:-1, 1:-1] = ink
    down = padded[1:, :-1] - padded[:-1, :-1]
    across = padded[:-1, 1:] - padded[:-1, :-1]
    return float(2 * ink.sum() / np.sqrt(down * down + across * across).sum())


def _crop(ink: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(ink.any(axis=1))
    columns = np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resize(digit: np.ndarray, side: int) -> np.ndarray:
    """Scale so that the longer side has `side` pixels, anti-aliased."""
    height, width = digit.shape
    scale = side / max(height, width)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    resized = Image.fromarray(digit.astype(np.float32)).resize(shape, Image.Resampling.BICUBIC)
    return np.asarray(resized).clip(0, 1)


def _thickened(digit: np.ndarray, box: int) -> np.ndarray:
    fine = _resize(digit, box * FINE)
    grow = round((STROKE * FINE - stroke_width(fine)) / 2)
    if grow > 0:
        fine = _dilate(np.pad(_resize(digit, box * FINE - 2 * grow), grow), grow)
    fine = np.clip(fine / np.float32(quantile(fine[fine > 0], 0.75)), 0, 1)
    return _resize(fine, box)


def _dilate(ink: np.ndarray, radius: int) -> np.ndarray:
    """The largest value within a disc."""
    height, width = ink.shape
    padded = np.pad(ink, radius)
    result = np.zeros_like(ink)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dy * dy + dx * dx <= radius * radius:
                shifted = padded[radius + dy : radius + dy + height, radius + dx : radius + dx + width]
                np.maximum(result, shifted, out=result)
    return result


def _place(digit: np.ndarray, size: int) -> tuple[int, int]:
    """Row and column that put the center of mass on pixel (size/2, size/2).

    To whole pixels as MNIST does, but so that no ink is lost.
    """
    weights = digit.astype(np.float64)
    total = weights.sum() or 1.0
    height, width = digit.shape
    top = round(size / 2 - float(weights.sum(axis=1) @ np.arange(height)) / total)
    left = round(size / 2 - float(weights.sum(axis=0) @ np.arange(width)) / total)
    return min(max(top, 0), size - height), min(max(left, 0), size - width)
