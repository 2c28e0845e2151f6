"""Digits in other styles than MNIST's: other hands, print, pixel fonts, displays."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.synthetic import render, shape
from cnn_cli.data.synthetic.drawing import Digits, in_blocks
from cnn_cli.data.synthetic.fonts import printed
from cnn_cli.data.synthetic.hands import HANDS
from cnn_cli.data.synthetic.ruled import ruled
from cnn_cli.data.synthetic.segments import dots, seven_segments
from cnn_cli.data.synthetic.splines import alphabet
from cnn_cli.image.normalize import normalize_digit

Drawer = Callable[[int, np.random.Generator], NDArray[np.float32]]

HANDWRITTEN = 126
"""Digits of other hands in a block of 250."""

PRINTED: tuple[tuple[Drawer, int, tuple[int, ...]], ...] = (
    (printed, 46, tuple(range(10))),
    (seven_segments, 30, tuple(range(10))),
    (dots, 20, tuple(range(10))),
    (ruled, 28, (1, 7)),
)
"""What draws the other digits of a block, how many, and which in turn."""

ONES, SEVENS = 0.25, 0.2
"""Shares of the handwritten digits that are a 1 or a 7, which other hands write most differently."""

SLANTED, SLANT = 0.3, (0.1, 0.6)
"""Share of the handwritten digits that are slanted more, and by how much: shift to the right per height."""


def draw_styles(count: int, seed: int) -> Digits:
    """Draw digits in MNIST's format.

    Arguments and result are those of `synthetic.draw`, and here, too, a block of 250 depends only on the seed
    and its number.
    """
    return in_blocks(_block, count, seed)


def _block(seed: int, block: int) -> Digits:
    rng = np.random.default_rng([seed, block])
    images, labels = _handwritten(HANDWRITTEN, rng)
    others = [
        (normalize_digit(draw(digit, rng)).pixels, digit)
        for draw, count, digits in PRINTED
        for digit in rng.permutation(np.resize(digits, count)).tolist()
    ]
    images = np.concatenate([images, np.stack([image for image, _ in others])])
    labels = np.concatenate([labels, np.array([digit for _, digit in others], np.uint8)])
    order = rng.permutation(len(labels))
    return images[order], labels[order]


def _handwritten(count: int, rng: np.random.Generator) -> Digits:
    hands = alphabet(HANDS)
    chance = np.full(10, (1 - ONES - SEVENS) / 8)
    chance[[1, 7]] = ONES, SEVENS
    labels = rng.choice(10, count, p=chance).astype(np.uint8)
    path, radius = shape.write(hands, hands.draw_variants(labels, rng), rng)
    slant = rng.uniform(*SLANT, count) * (rng.random(count) < SLANTED) * (labels != 1)
    path[..., 0] -= slant[:, None].astype(np.float32) * path[..., 1]
    return render.render(path, radius, rng), labels
