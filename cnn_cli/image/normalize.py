"""Ink -> the digit in MNIST's format: size, stroke width and position."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnn_cli.image.quantiles import quantile

# Stroke widths by `stroke_width` when the digit is 20 pixels high: of MNIST's training digits 1 % are below
# 1.44 and half are below 2.36. Strokes thinner than MIN_STROKE are thickened to STROKE.
MIN_STROKE = 1.4
STROKE = 2.0

# Strokes are thickened on a grid this many times finer than the result, so that edges are smooth.
FINE = 4


@dataclass(frozen=True)
class NormalizedDigit:
    """A digit in MNIST's format, and how it was normalized."""

    pixels: np.ndarray
    """uint8 [size, size], 0 = background, 255 = ink; all 0 if there is no ink."""
    stroke: float
    """Width of its strokes in pixels of the result, before they are thickened."""
    thickened: bool
    """Whether its strokes were thinner than MNIST's and were thickened."""
    scale: float
    """Pixels of the result for each pixel of the ink."""
    corner: tuple[int, int]
    """Column and row in the result of the upper left corner of the digit's box."""


def normalize_digit(ink: np.ndarray, size: int = 28, box: int = 20) -> NormalizedDigit:
    """Normalize a digit as MNIST does: into a box of 20x20, with its center of mass in the center of 28x28.

    Strokes thinner than MNIST's are thickened, so that a hairline does not vanish.

    Args:
        ink: float [H, W], 0 = background, 1 = ink; everything that is not 0 belongs to the digit.
        size: side of the result in pixels.
        box: longer side of the digit in the result, in pixels.
    """
    if not ink.any():
        return NormalizedDigit(np.zeros((size, size), np.uint8), 0.0, False, 1.0, (0, 0))
    cropped = crop(ink)
    digit = _resize(cropped, box)
    stroke = stroke_width(digit)
    thin = stroke < MIN_STROKE
    if thin:
        digit = _thicken(cropped, box)
    digit = np.rint(digit * 255).astype(np.uint8)
    top, left = position_by_mass(digit, size)
    pixels = np.zeros((size, size), np.uint8)
    pixels[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return NormalizedDigit(pixels, stroke, thin, box / max(cropped.shape), (left, top))


def place(ink: np.ndarray, size: int = 28) -> NormalizedDigit:
    """Put a whole image into the middle of the network's input, scaled only if it does not fit exactly.

    Args:
        ink: float [H, W] in 0..1, 0 = background.
        size: side of the result in pixels.
    """
    whole = np.rint(_resize(ink, size) * 255).astype(np.uint8)
    top, left = ((size - side) // 2 for side in whole.shape)
    pixels = np.zeros((size, size), np.uint8)
    pixels[top : top + whole.shape[0], left : left + whole.shape[1]] = whole
    return NormalizedDigit(pixels, stroke_width(whole / 255), False, size / max(ink.shape), (left, top))


def stroke_width(ink: np.ndarray) -> float:
    """Return the mean stroke width in pixels: twice the area divided by the length of the outline.

    A stroke of length L and width w has the area L*w and an outline of 2*L. The outline's length is the
    total variation, which needs no threshold and is therefore correct for gray edges too.
    """
    padded = np.zeros((ink.shape[0] + 2, ink.shape[1] + 2), ink.dtype)
    padded[1:-1, 1:-1] = ink
    down = padded[1:, :-1] - padded[:-1, :-1]
    across = padded[:-1, 1:] - padded[:-1, :-1]
    return float(2 * ink.sum() / np.sqrt(down * down + across * across).sum())


def position_by_mass(digit: np.ndarray, size: int) -> tuple[int, int]:
    """Return the row and column at which the digit's center of mass is the pixel (size/2, size/2).

    The position is in whole pixels, as in MNIST, and the whole digit stays inside the image.
    """
    weights = digit.astype(np.float64)
    total = weights.sum() or 1.0
    height, width = digit.shape
    top = round(size / 2 - float(weights.sum(axis=1) @ np.arange(height)) / total)
    left = round(size / 2 - float(weights.sum(axis=0) @ np.arange(width)) / total)
    return min(max(top, 0), size - height), min(max(left, 0), size - width)


def crop(ink: np.ndarray) -> np.ndarray:
    """Return the smallest part of an image [H, W] that holds everything that is not 0; there must be some."""
    return ink[inked_part(ink)]


def inked_part(ink: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of an image [H, W] that hold all that is not 0; there must be something."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _resize(ink: np.ndarray, side: int) -> np.ndarray:
    """Scale, anti-aliased, so that the longer side has `side` pixels."""
    height, width = ink.shape
    scale = side / max(height, width)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    resized = Image.fromarray(ink.astype(np.float32)).resize(shape, Image.Resampling.BICUBIC)
    return np.asarray(resized).clip(0, 1)


def _thicken(ink: np.ndarray, box: int) -> np.ndarray:
    """Scale so that the longer side has `box` pixels and strokes are `STROKE` wide."""
    fine = _resize(ink, box * FINE)
    radius = round((STROKE * FINE - stroke_width(fine)) / 2)
    if radius > 0:
        fine = _dilate(np.pad(_resize(ink, box * FINE - 2 * radius), radius), radius)
    fine = np.clip(fine / np.float32(quantile(fine[fine > 0], 0.75)), 0, 1)
    return _resize(fine, box)


def _dilate(ink: np.ndarray, radius: int) -> np.ndarray:
    """Return the largest value within a disk around each pixel."""
    height, width = ink.shape
    padded = np.pad(ink, radius)
    result = np.zeros_like(ink)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dy * dy + dx * dx <= radius * radius:
                shifted = padded[radius + dy : radius + dy + height, radius + dx : radius + dx + width]
                np.maximum(result, shifted, out=result)
    return result
