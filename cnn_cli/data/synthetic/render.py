"""Rendering: from pen paths to images in MNIST's format.

LeCun et al. (1998), section III.A: the digit is scaled to fit a 20x20 box, keeping its aspect ratio; the
anti-aliased scaling gives gray values; its center of mass is moved to the center of a 28x28 field. Here the
pen path is scaled before it is rendered, so no large image is made.
"""

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.synthetic.splines import Floats

BOX = 20  # pixels, the side of the box that the ink fits into
FIELD = 28  # pixels, the side of the image
CENTER = 14.0  # pixel index of MNIST's centers of mass: 14.0 +- 0.29 over its training set
EDGE = (1.0, 1.6)  # pixels, width of the step from background to ink; gives MNIST's share of gray pixels
ROUGH = 0.07  # pixels, deviation of the ink's edge, from the grain of paper and the scanner's binary pixels


def render(path: Floats, radius: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Render images uint8 [n, 28, 28] of pen positions [n, P, 2] with radii [n, P] in pixels."""
    path = fit(path, radius)
    rough = rng.standard_normal((len(path), BOX, BOX), dtype=np.float32) * ROUGH
    distance = _signed_distance(path, radius) + rough
    low, high = EDGE
    edge = low + (high - low) * rng.random((len(path), 1, 1), dtype=np.float32)
    ink = np.clip(0.5 + distance / edge, 0, 1)
    ink = ink * ink * (3 - 2 * ink)
    ink /= np.maximum(ink.max(axis=(1, 2), keepdims=True), 1e-3)  # MNIST's darkest pixel is always 253 to 255
    return center(np.rint(ink * 255).astype(np.uint8))


def fit(path: Floats, radius: Floats) -> Floats:
    """Scale and move each path so that its ink exactly fits the box; the aspect ratio is kept.

    The shorter side is centered, and begins at a whole pixel as that of a scaled image does. The ink's extent
    is convex and piecewise linear in the scale, so Newton's method finds the scale in a few steps.
    """
    axes = np.ascontiguousarray(np.moveaxis(path, 2, 1))  # [n, 2, P]: extremes of adjacent numbers are faster
    reach = np.where(radius > 0, radius, np.float32(-np.inf))[:, None]  # a gap has no extent
    low, high = _bounds(axes, np.minimum(reach, 0))
    extent = np.maximum((high - low).max(axis=1), 1e-3)
    scale = (BOX / extent)[:, None, None]
    for _ in range(6):
        low, high = _bounds(axes * scale, reach)
        scale = scale + ((BOX - (high - low).max(axis=1)) / extent)[:, None, None]
    low, high = _bounds(axes * scale, reach)
    margin = np.floor(np.maximum(BOX - (high - low), 0) / 2)
    return np.asarray(path * scale - (low - margin)[:, None], dtype=np.float32)


def _bounds(axes: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """Return the minimum and maximum coordinates [n, 2] of discs at [n, 2, P] with the radii [n, 1, P]."""
    return (axes - reach).min(axis=2), (axes + reach).max(axis=2)


def center(box: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put boxes [n, 20, 20] into fields [n, 28, 28], with the center of mass at the center to a pixel."""
    n = len(box)
    mass = np.maximum(box.sum(axis=(1, 2)), 1)
    index = np.arange(BOX)
    offsets = []
    for axis in (1, 2):
        middle = (box.sum(axis=3 - axis) * index).sum(axis=1) / mass
        offsets.append(np.clip(np.rint(CENTER - middle), 0, FIELD - BOX).astype(int))
    field = np.zeros((n, FIELD, FIELD), dtype=np.uint8)
    rows, columns = (offset[:, None] + index for offset in offsets)
    field[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]] = box
    return field


def _signed_distance(path: Floats, radius: Floats) -> Floats:
    """Return how far each pixel's center is from the ink's edge, [n, 20, 20] in pixels; negative outside.

    The ink is the union of discs. The power distance |pixel - center|^2 - r^2 is a sum of a term in x and one
    in y, so a disc costs one sum and one minimum a pixel. With the digit's mean radius m, the distance to the
    edge is m - sqrt(power + m^2): exact where the pen has its mean radius, close elsewhere.
    """
    pixel = np.arange(BOX, dtype=np.float32) + 0.5
    inked = radius > 0
    mean = (np.where(inked, radius, 0).sum(axis=1) / np.maximum(inked.sum(axis=1), 1))[:, None, None]
    x = np.square(pixel - path[..., 0, None])  # [n, P, 20]
    minus_square = np.where(inked, -np.square(radius), np.float32(1e6))  # a gap is far from every pixel
    y = np.square(pixel - path[..., 1, None]) + minus_square[..., None]
    power = np.full((len(path), BOX, BOX), np.inf, dtype=np.float32)
    term = np.empty_like(power)
    for point in range(path.shape[1]):
        np.add(y[:, point, :, None], x[:, point, None, :], out=term)
        np.minimum(power, term, out=power)
    return np.asarray(mean - np.sqrt(np.maximum(power + np.square(mean), 0)), dtype=np.float32)
