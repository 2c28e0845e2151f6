"""Drawn images that no network here was trained on as digits: hollow digits, and letters as five classes."""

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.outliers.glyphs import SMALL
from cnn_cli.data.synthetic import render, shape
from cnn_cli.data.synthetic.drawing import Digits
from cnn_cli.data.synthetic.hands import HANDS
from cnn_cli.data.synthetic.splines import Alphabet, alphabet

LETTERS = ("a", "e", "n", "r", "u")
"""Small letters that are common in English; `cnn_cli.data.outliers.glyphs` has several forms of most."""

BROAD, RADIUS = 1.6, (2.4, 3.4)
"""Pixels that are added to the pen's radius for hollow digits, and the range in which it stays."""

GAIN = 1.3
"""Factor of the ink of an outline, which is a pixel wide and so lighter than a stroke."""


def hollow_digits(count: int, seed: int) -> Digits:
    """Draw digits as outlines of broad strokes, the same number of each: uint8 [count, 28, 28], labels."""
    path, radius, labels, rng = _written(alphabet(HANDS), count, seed, classes=10)
    radius = np.where(radius > 0, np.clip(radius + BROAD, *RADIUS), radius).astype(np.float32)
    broad = render.render(path, radius, rng).astype(np.int16)
    outline = np.clip((broad - _eroded(broad)) * GAIN, 0, 255).astype(np.uint8)
    return outline, labels


def letters(count: int, seed: int) -> Digits:
    """Draw the letters `LETTERS`, the same number of each: uint8 [count, 28, 28], and their indices."""
    signs = {ways[0].name.split()[0]: ways for ways in SMALL}
    forms = alphabet(tuple(signs[letter] for letter in LETTERS))
    path, radius, labels, rng = _written(forms, count, seed, classes=len(LETTERS))
    return render.render(path, radius, rng), labels


def _written(
    forms: Alphabet, count: int, seed: int, classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8], np.random.Generator]:
    """Return pen positions [count, P, 2], radii [count, P], labels [count] and the generator for the ink."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % classes).astype(np.uint8)
    path, radius = shape.write(forms, forms.draw_variants(labels, rng), rng)
    return path, radius, labels, rng


def _eroded(images: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return the least of each pixel [n, 28, 28] and its four neighbors."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    places = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
    least: NDArray[np.int16] = np.minimum.reduce(
        [padded[:, 1 + y : 29 + y, 1 + x : 29 + x] for y, x in places]
    )
    return least
