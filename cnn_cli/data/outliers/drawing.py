"""The drawing of outliers of all kinds, mixed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.outliers.digits import Pen, doubles, halves
from cnn_cli.data.outliers.glyphs import GLYPHS, PRINTED
from cnn_cli.data.outliers.scribbles import POINTS, scribbles
from cnn_cli.data.outliers.textures import textures
from cnn_cli.data.synthetic import render, shape
from cnn_cli.data.synthetic.drawing import threads
from cnn_cli.data.synthetic.fonts import printed
from cnn_cli.data.synthetic.splines import alphabet
from cnn_cli.image.normalize import normalize_digit

Images = NDArray[np.uint8]

# Standard deviation of a further factor of the pen's size (log): the outliers in users' images are often
# printed, and print is thinner or thicker than handwriting. The radius stays in this range of pixels.
BROAD, RADIUS = 0.45, (0.6, 4.0)


def draw(count: int, seed: int) -> Images:
    """Draw images that are not digits, in MNIST's format.

    As in `synthetic.draw`, a block of 250 depends only on the seed and its number.

    Args:
        count: number of images.
        seed: any integer from 0.

    Returns:
        uint8 [count, 28, 28], 0 = background, 255 = ink.
    """
    with ThreadPoolExecutor(threads()) as pool:
        blocks = list(pool.map(partial(_block, seed), range(-(-count // BLOCK))))
    return np.concatenate([np.empty((0, render.FIELD, render.FIELD), np.uint8), *blocks])[:count]


def _block(seed: int, block: int) -> Images:
    rng = np.random.default_rng([seed, block])
    return rng.permutation(np.concatenate([kind(count, rng) for kind, count in KINDS]))


def _glyphs(n: int, rng: np.random.Generator) -> Images:
    signs = alphabet(GLYPHS)
    return _inked(shape.write(signs, rng.integers(len(signs.label), size=n), rng), rng)


def _printed(n: int, rng: np.random.Generator) -> Images:
    signs = rng.choice(list(PRINTED), n)
    return np.stack([normalize_digit(printed(str(sign), rng)).pixels for sign in signs])


def _scribbles(n: int, rng: np.random.Generator) -> Images:
    path = scribbles(n, rng)
    along = np.broadcast_to(np.linspace(0, 1, POINTS, dtype=np.float32), (n, POINTS))
    return _inked((path, shape.radius_of(along, path, rng)), rng)


def _halves(n: int, rng: np.random.Generator) -> Images:
    return _inked(halves(n, rng), rng)


def _doubles(n: int, rng: np.random.Generator) -> Images:
    return _inked(doubles(n, rng), rng)


def _inked(pen: Pen, rng: np.random.Generator) -> Images:
    path, radius = pen
    broad = np.exp(BROAD * rng.standard_normal((len(path), 1), dtype=np.float32))
    radius = np.where(radius > 0, np.clip(radius * broad, *RADIUS), radius)
    return render.render(path, radius, rng)


KINDS: tuple[tuple[Callable[[int, np.random.Generator], Images], int], ...] = (
    (_glyphs, 80),
    (_printed, 60),
    (_scribbles, 40),
    (_halves, 15),
    (_doubles, 25),
    (textures, 30),
)
"""The function that draws each kind, and its number of images in a block. Letters resemble digits most."""

BLOCK = sum(count for _, count in KINDS)
