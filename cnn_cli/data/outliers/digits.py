"""Images made of digits that are not digits: halves, and two digits on the same place."""

import numpy as np

from cnn_cli.data.synthetic import shape
from cnn_cli.data.synthetic.splines import Floats, alphabet

Pen = tuple[Floats, Floats]
"""Pen positions [n, P, 2] in digit heights, and radii [n, P] in pixels; a negative radius leaves no ink."""

# Digits and the half that is kept: axis (0 = x, 1 = y) and side. Halves that look like a digit are left out:
# half a 1 is a 1, the upper half of an 8 a 0, its right half a 3, the lower half of a 7 a 1.
HALVES = (
    (0, 1, "first"),
    (0, 1, "last"),
    (2, 0, "first"),
    (2, 1, "last"),
    (3, 0, "first"),
    (5, 1, "first"),
)

# The share of the digit's extent that is kept.
KEPT = (0.40, 0.55)

# The second digit: horizontal distance from the first (digit heights; closer, a thick pen joins the two into
# one), standard deviation of its vertical distance, and of the log of its size.
BESIDE, ABOVE, SIZE = (0.25, 0.70), 0.15, 0.12


def halves(n: int, rng: np.random.Generator) -> Pen:
    """Draw halves of digits."""
    chosen = rng.integers(len(HALVES), size=n)
    digit, axis, side = (np.array(part)[chosen] for part in zip(*HALVES, strict=True))
    path, radius = shape.write(alphabet(), alphabet().draw_variants(digit, rng), rng)
    place = np.take_along_axis(path, axis[:, None, None], axis=2)[..., 0]  # [n, P]
    place = np.where((side == "first")[:, None], place, -place)
    low, high = place.min(axis=1, keepdims=True), place.max(axis=1, keepdims=True)
    kept = place < low + (high - low) * rng.uniform(*KEPT, (n, 1))
    return path, np.where(kept, radius, np.float32(-1))


def doubles(n: int, rng: np.random.Generator) -> Pen:
    """Draw two different digits over each other, but no 1, which makes a slashed 0 or a 7 of others."""
    first = rng.integers(9, size=n)
    second = (first + rng.integers(1, 9, size=n)) % 9
    pens = [
        shape.write(alphabet(), alphabet().draw_variants(np.where(d == 1, 9, d), rng), rng)
        for d in (first, second)
    ]
    shift = np.stack(
        [rng.uniform(*BESIDE, n) * rng.choice([-1, 1], n), ABOVE * rng.standard_normal(n)], axis=1
    )
    size = np.exp(SIZE * rng.standard_normal((n, 1, 1)))
    paths = [pens[0][0], (pens[1][0] * size + shift[:, None]).astype(np.float32)]
    return np.concatenate(paths, axis=1), np.concatenate([radius for _, radius in pens], axis=1)
