"""Scribbles: tangles, zigzags, spirals, coils, loose lines.

Each function draws pen paths float32 [n, POINTS, 2]. Their size does not matter, because the ink is scaled to
its box. A pen position is a disc of ink, so a jump in a path leaves a gap.
"""

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.synthetic.splines import Floats

POINTS = 176
"""Pen positions. The longest scribbles have 160 pixels, so their distance is less than a pen's radius."""

Points = NDArray[np.float64]


def scribbles(n: int, rng: np.random.Generator) -> Floats:
    """Draw the kinds in turn, each rotated and stretched at random."""
    kinds = (_tangle, _zigzag, _corners, _spiral, _coil, _lines)
    paths = np.stack([kinds[number % len(kinds)](rng) for number in range(n)])  # [n, POINTS, 2]
    angle = rng.uniform(0, 2 * np.pi, (n, 1))
    x, y = paths[..., 0], paths[..., 1] * np.exp(0.3 * rng.standard_normal((n, 1)))
    turned = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    return np.stack(turned, axis=2).astype(np.float32)


def _tangle(rng: np.random.Generator) -> Points:
    """Draw a smooth curve that crosses itself: sums of sines, weaker at higher frequencies."""
    waves = np.arange(1, 9) / 2  # half turns, so that the ends are apart
    amplitude = rng.standard_normal((2, 8)) / waves ** rng.uniform(0.3, 0.8)
    phase = rng.uniform(0, 2 * np.pi, (2, 8))
    t = np.linspace(0, 1, 4 * POINTS)[:, None, None]
    return _evenly((amplitude * np.sin(2 * np.pi * waves * t + phase)).sum(axis=2))


def _zigzag(rng: np.random.Generator) -> Points:
    """Draw a line back and forth, as people hatch or black out something."""
    turns = int(rng.integers(5, 10))
    corners = np.stack([np.linspace(0, rng.uniform(0.5, 1.5), turns), np.arange(turns) % 2], axis=1)
    return _evenly(corners + 0.06 * rng.standard_normal((turns, 2)))


def _corners(rng: np.random.Generator) -> Points:
    """Draw straight strokes between random points; fewer than six points give 1s, 4s and 7s."""
    return _evenly(rng.random((int(rng.integers(6, 12)), 2)))


def _spiral(rng: np.random.Generator) -> Points:
    """Draw more than two turns, because one turn is a 0, a 6 or a 9."""
    t = np.linspace(0, 1, 4 * POINTS)
    angle = 2 * np.pi * rng.uniform(2.2, 4.5) * t * rng.choice([-1, 1])
    radius = 0.08 + t ** rng.uniform(0.7, 1.2)
    return _evenly(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))


def _coil(rng: np.random.Generator) -> Points:
    """Draw a wave or a row of loops."""
    t = np.linspace(0, 1, 4 * POINTS)
    angle = 2 * np.pi * rng.uniform(2.5, 6) * t
    along = rng.uniform(1, 4) * t + rng.uniform(0, 0.5) * np.cos(angle)
    return _evenly(np.stack([along, rng.uniform(0.3, 0.7) * np.sin(angle)], axis=1))


def _lines(rng: np.random.Generator) -> Points:
    """Draw straight lines: scattered, side by side, or across each other."""
    count = int(rng.integers(3, 8))
    middle, angle = rng.random((count, 1, 2)), rng.uniform(0, np.pi, (count, 1))
    if rng.random() < 0.5:
        middle, angle = (
            np.linspace(0, 1, count)[:, None, None] * [1, 0],
            (angle[:1] + np.pi * rng.random()) / 2,
        )
        angle = angle + np.pi / 2 * (np.arange(count) % int(rng.integers(1, 3)))[:, None]
    reach = rng.uniform(0.3, 0.7, (count, 1)) * np.linspace(-1, 1, -(-POINTS // count))  # [count, P]
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)  # [count or 1, 1, 2]
    points: Points = (middle + reach[..., None] * direction).reshape(-1, 2)[:POINTS]
    return points


def _evenly(points: Points) -> Points:
    """Return POINTS positions at equal distances along the line through points [m, 2]."""
    steps = np.hypot(*np.diff(points, axis=0).T)
    length = np.concatenate([[0], np.cumsum(steps)])
    places = np.linspace(0, length[-1], POINTS)
    return np.stack([np.interp(places, length, axis) for axis in points.T], axis=1)
