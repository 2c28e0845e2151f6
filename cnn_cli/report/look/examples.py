"""Ten example digits, which the program draws itself, as strokes of a pen."""

from typing import Any

import numpy as np

from cnn_cli.data.synthetic import shape
from cnn_cli.data.synthetic.splines import alphabet

SEED = 59
"""Gives ten digits that the included networks read with confidence."""

HEIGHT = 0.62
"""Height of a digit as a share of the canvas."""

EVERY = 2
"""Pen positions are close together; every second one gives the same curve."""


def example_digits() -> list[dict[str, Any]]:
    """Return for each digit its label and its strokes: lists of points (x, y), 0..1 of the canvas's side."""
    letters = alphabet()
    variants = letters.chance.argmax(axis=1)  # the most frequent way to write each digit
    paths, _ = shape.write(letters, variants, np.random.default_rng(SEED))
    members = letters.stroke[variants] > 0  # [digit, position, stroke]
    return [
        {"label": str(digit), "strokes": _strokes(path, member)}
        for digit, (path, member) in enumerate(zip(paths, members, strict=True))
    ]


def _strokes(path: np.ndarray, member: np.ndarray) -> list[list[list[float]]]:
    """Center the path on the canvas, and cut it where the pen is lifted."""
    drawn = path[member.any(axis=1)]
    low, high = drawn.min(axis=0), drawn.max(axis=0)
    placed = 0.5 + (path - (low + high) / 2) * (HEIGHT / (high - low).max())
    strokes = [placed[of_stroke] for of_stroke in member.T if of_stroke.any()]
    return [_thinned(points).round(3).tolist() for points in strokes]


def _thinned(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points[:-1:EVERY], points[-1:]])
