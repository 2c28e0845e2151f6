"""From the text of strokes to arrays: curves as matrices, so one product computes many digits."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.synthetic.strokes import DIGITS, Variant

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

# Pen positions per digit. The longest path, an 8, has 60 pixels, so their distance is less than a pen's
# radius.
POINTS = 88
_STEPS = 24  # per curve between two control points, to measure its length

# Rows: powers of t from 0 to 3; columns: the four control points around the piece. The first curve goes
# through its points, the second cuts the corners.
_CATMULL_ROM = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
_B_SPLINE = np.array([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]]) / 6


@dataclass(frozen=True)
class Alphabet:
    """All V variants of the signs, padded to the same number K of control points; P pen positions each.

    Args:
        label: uint8 [V], the digit, or the index of another sign.
        chance: float [10, V], the probability of each variant of a sign (row); each row adds up to 1.
        control: float [V, K, 2], control points (x, y) in digit heights.
        sharp: float [V, P, K], pen positions as weights of control points: through every point, with corners.
        soft: float [V, P, K], the same for fast writing, which cuts the corners.
        reach: float [V, K, K], maps control points to the outward steps at the strokes' ends; zero elsewhere.
        stroke: float [V, P, S], 1 if the pen position belongs to the stroke.
        along: float [V, P], position within its stroke, 0 at the start and 1 at the end.
    """

    label: NDArray[np.uint8]
    chance: NDArray[np.float64]
    control: Floats
    sharp: Floats
    soft: Floats
    reach: Floats
    stroke: Floats
    along: Floats

    def draw_variants(self, signs: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.intp]:
        """Draw a variant for each sign [n], as often as people use it."""
        bounds = np.cumsum(self.chance, axis=1)[signs]  # [n, V]
        return np.asarray((rng.random((len(signs), 1)) * bounds[:, -1:] >= bounds).sum(axis=1))


@cache
def alphabet(signs: tuple[tuple[Variant, ...], ...] = DIGITS) -> Alphabet:
    """Return the alphabet of the given signs, in the order of signs and variants."""
    variants = [(sign, variant) for sign, ways in enumerate(signs) for variant in ways]
    chance = np.zeros((len(signs), len(variants)))
    for row, (sign, variant) in enumerate(variants):
        chance[sign, row] = variant.weight
    parts = [_variant(variant) for _, variant in variants]
    return Alphabet(
        label=np.array([sign for sign, _ in variants], dtype=np.uint8),
        chance=chance / chance.sum(axis=1, keepdims=True),
        **{name: _stack([part[name] for part in parts]) for name in parts[0]},
    )


def parse(stroke: str) -> tuple[Matrix, list[int]]:
    """Return points [n, 2] in digit heights, and the indices of the corners."""
    words = stroke.split()
    points = np.array([[float(part) for part in word.rstrip("!").split(",")] for word in words]) / 100
    return points, [number for number, word in enumerate(words) if word.endswith("!")]


def _variant(variant: Variant) -> dict[str, Matrix]:
    """Return the fields of `Alphabet` for one variant, not padded."""
    strokes = [parse(text) for text in variant.strokes]
    counts = _share([float(np.hypot(*np.diff(points, axis=0).T).sum()) for points, _ in strokes])
    curves = [_curves(*stroke, count) for stroke, count in zip(strokes, counts, strict=True)]
    control = np.concatenate([points for points, _ in strokes])
    return {
        "control": control - (control.max(axis=0) + control.min(axis=0)) / 2,
        "sharp": _block_diagonal([sharp for sharp, _ in curves]),
        "soft": _block_diagonal([soft for _, soft in curves]),
        "reach": _block_diagonal([_reach(len(points)) for points, _ in strokes]),
        "stroke": _block_diagonal([np.ones((count, 1)) for count in counts]),
        "along": np.concatenate([np.linspace(0, 1, count) for count in counts]),
    }


def _share(lengths: list[float]) -> list[int]:
    """Distribute the pen positions over the strokes by length."""
    ends = np.rint(np.cumsum(lengths) / sum(lengths) * POINTS).astype(int)
    return [int(count) for count in np.diff(ends, prepend=0)]


def _reach(points: int) -> Matrix:
    """Return a matrix [points, points] that maps a stroke's points to the outward steps at its two ends."""
    matrix = np.zeros((points, points))
    matrix[0, [0, 1]] = matrix[-1, [-1, -2]] = 1, -1
    return matrix


def _curves(points: Matrix, corners: list[int], count: int) -> tuple[Matrix, Matrix]:
    """Return the sharp and soft curve of a stroke: matrices [count, points], evenly spaced on the first."""
    unit = np.eye(len(points))
    bounds = pairwise([0, *corners, len(points) - 1])
    pieces = [_curve(unit[first : last + 1], _CATMULL_ROM) for first, last in bounds]
    sharp = np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])
    soft = _curve(unit, _B_SPLINE)
    steps = np.hypot(*np.diff(sharp @ points, axis=0).T)
    length = np.concatenate([[0], np.cumsum(steps)])
    places = np.interp(np.linspace(0, length[-1], count), length, np.arange(len(length)))
    return _rows(sharp, places), _rows(soft, places)


def _curve(points: Matrix, basis: Matrix) -> Matrix:
    """Return a cubic spline of points [n, d], from the first to the last: [(n - 1) * steps + 1, d]."""
    before, after = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    padded = np.concatenate([before, points, after])
    powers = (np.arange(_STEPS) / _STEPS)[:, None] ** np.arange(4)
    pieces = [powers @ basis @ padded[number : number + 4] for number in range(len(points) - 1)]
    return np.concatenate([*pieces, points[-1:]])


def _rows(matrix: Matrix, places: Matrix) -> Matrix:
    """Interpolate the rows of a matrix at fractional row numbers."""
    below = np.minimum(places.astype(int), len(matrix) - 2)
    part = (places - below)[:, None]
    return np.asarray((1 - part) * matrix[below] + part * matrix[below + 1])


def _block_diagonal(matrices: list[Matrix]) -> Matrix:
    """Return one matrix with the given ones along its diagonal, so that strokes do not affect each other."""
    shapes = np.array([matrix.shape for matrix in matrices])
    joined = np.zeros(shapes.sum(axis=0))
    for matrix, (row, column) in zip(matrices, np.cumsum(shapes, axis=0) - shapes, strict=True):
        joined[row : row + matrix.shape[0], column : column + matrix.shape[1]] = matrix
    return joined


def _stack(arrays: list[Matrix]) -> Floats:
    """Stack arrays of different shapes, padded with zeros at their ends."""
    shape = np.max([array.shape for array in arrays], axis=0)
    stacked = np.zeros((len(arrays), *shape), dtype=np.float32)
    for row, array in zip(stacked, arrays, strict=True):
        row[tuple(slice(size) for size in array.shape)] = array
    return stacked
