"""Digits cut out of rows of touching digits, and wrong pieces of such rows.

A crop around a digit is rarely clean where digits touch: bits of an adjacent digit are left at a side, a bit
of the digit itself is missing. Most pieces are no digit at all, but a part of one, or more than one. Both are
made here from labeled digits (LeCun et al. 1998, section VI, trained a reader of strings with such examples).
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_cli.image.cuts import HEIGHT, WIDEST, Cut, find_cuts, piece
from cnn_cli.image.normalize import crop, normalize_digit
from cnn_cli.image.text_components import Component

Images = NDArray[np.uint8]

ROW = 3
"""Digits in a row: the middle one touches two others."""

SCALE = HEIGHT / 20
"""Pixels of a row per pixel of a digit; MNIST's digits are 20 pixels high."""

# How far the boxes of two adjacent digits overlap, how far the middles of digits are above or below the line
# (pixels of the digits), and the range of their sizes.
OVERLAP, JITTER, SIZES = (-0.5, 4.0), 2.0, (0.8, 1.2)

# A piece is a digit if it has at least this share of the digit's ink, and at most this much ink of others as
# a share of that.
OWN, FOREIGN = 0.9, 0.15

# A piece is no digit if it has at most the first share of any digit, or at least the second share of two.
# Pieces that are narrower or lower (1 = the digits' height) could be a 1, whatever they were cut from, and
# are recognized by their size; wider ones never reach the network.
PART, SECOND = 0.65, 0.35
NARROWEST, LOWEST = 0.4, 0.7

TRIES = 4
"""Maximum number of pieces that are tried to find one of the right size."""


@dataclass(frozen=True)
class CutOut:
    """Pieces that were cut out of rows."""

    digits: Images
    """uint8 [K, 28, 28], 0 = background."""
    which: NDArray[np.int64]
    """int64 [K]: the digit that each shows, as an index into the given images."""
    wrong: Images
    """uint8 [M, 28, 28]: parts of digits, and several digits in one."""


def cut_out(images: Images, count: int, seed: int) -> CutOut:
    """Compose rows of touching digits, and cut them, until there are `count` digits.

    Args:
        images: uint8 [N, 28, 28], 0 = background.
        count: number of digits; each row gives up to three, and up to two wrong pieces.
        seed: any integer from 0. A row depends only on the digits, the seed and its number.
    """
    inked = np.flatnonzero(images.any(axis=(1, 2)))
    digits: list[Images] = []
    which: list[int] = []
    wrong: list[Images] = []
    for number in range(2 * count if len(inked) else 0):  # a row without digits may give none
        if len(digits) >= count:
            break
        rng = np.random.default_rng([seed, number])
        chosen = rng.choice(inked, ROW)
        row = _cut(_compose([images[index] for index in chosen], rng))
        for place, index in enumerate(chosen):
            component = row.piece_of(place, rng)
            if component is not None:
                digits.append(normalize_digit(component.ink).pixels)
                which.append(int(index))
        wrong += [normalize_digit(component.ink).pixels for component in row.wrong(rng)]
    return CutOut(_stacked(digits[:count]), np.array(which[:count], np.int64), _stacked(wrong))


def _stacked(images: list[Images]) -> Images:
    return np.stack(images) if images else np.empty((0, 28, 28), np.uint8)


@dataclass(frozen=True)
class _Row:
    """A row with its cuts, and the ink of its pieces."""

    component: Component
    height: float
    """Height of its digits, in pixels."""
    pieces: list[tuple[Cut | None, Cut | None]]
    """P pieces, each between two cuts or sides (None)."""
    shares: NDArray[np.float64]
    """[P, ROW]: the share of each digit's ink that a piece holds."""

    def piece_of(self, place: int, rng: np.random.Generator) -> Component | None:
        """Return one of the pieces that are the digit at that place; None if it cannot be cut out."""
        own, all_ink = self.shares[:, place], self.shares.sum(axis=1)
        fits = np.flatnonzero((own >= OWN) & (all_ink - own <= FOREIGN * own))
        return piece(self.component, *self.pieces[rng.choice(fits)]) if len(fits) else None

    def wrong(self, rng: np.random.Generator) -> list[Component]:
        """Return a piece that is less than a digit, and one that is more, where there are such pieces."""
        most, second = np.sort(self.shares, axis=1)[:, :-3:-1].T
        kinds = (most <= PART) & (second <= SECOND), second >= SECOND
        wrong = []
        for kind in kinds:
            tried = rng.permutation(np.flatnonzero(kind))[:TRIES]
            parts = (piece(self.component, *self.pieces[index]) for index in tried)
            wrong += [part for part in parts if part is not None and self._has_size_of_digit(part)][:1]
        return wrong

    def _has_size_of_digit(self, part: Component) -> bool:
        width, height = part.width / self.height, part.height / self.height
        return NARROWEST <= width <= WIDEST and height >= LOWEST


def _cut(layers: NDArray[np.float32]) -> _Row:
    """Cut a row of digits.

    Args:
        layers: each digit on a layer of its own, float32 [ROW, H, W], 0 = background, 1 = full ink.
    """
    component = Component(layers.max(axis=0), 0, 0)
    height = float(np.median(layers.any(axis=2).sum(axis=1)))
    ends = [None, *find_cuts(component, height), None]
    column, total = np.arange(component.width), layers.sum(axis=(1, 2))
    left = [  # share of each digit's ink that is left of each end
        np.zeros(ROW),
        *((layers * (column < cut.columns[:, None])).sum(axis=(1, 2)) / total for cut in ends if cut),
        np.ones(ROW),
    ]
    between = list(itertools.combinations(range(len(ends)), 2))
    shares = np.array([left[end] - left[start] for start, end in between])
    return _Row(component, height, [(ends[start], ends[end]) for start, end in between], shares)


def _compose(digits: list[Images], rng: np.random.Generator) -> NDArray[np.float32]:
    """Put digits beside each other, each on a layer of its own.

    Returns:
        float32 [ROW, H, W], 0 = background, 1 = full ink.
    """
    drawn = [_resized(digit, SCALE * rng.uniform(*SIZES)) for digit in digits]
    height = max(digit.shape[0] for digit in drawn) + round(2 * JITTER * SCALE)
    left, places = 0, []
    for digit in drawn:
        slack = (height - digit.shape[0]) / 2
        top = round(slack + rng.uniform(-1, 1) * min(slack, JITTER * SCALE))
        places.append((top, left))
        left += max(1, digit.shape[1] - round(rng.uniform(*OVERLAP) * SCALE))
    width = max(left + digit.shape[1] for (_, left), digit in zip(places, drawn, strict=True))
    layers = np.zeros((len(drawn), height, width), np.float32)
    for layer, digit, (top, left) in zip(layers, drawn, places, strict=True):
        layer[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    inked = np.flatnonzero(layers.any(axis=(0, 2)))
    return layers[:, inked[0] : inked[-1] + 1]


def _resized(digit: Images, scale: float) -> NDArray[np.float32]:
    cropped = crop(digit)
    size = max(1, round(cropped.shape[1] * scale)), max(1, round(cropped.shape[0] * scale))
    return np.asarray(
        Image.fromarray(cropped).resize(size, Image.Resampling.BICUBIC), np.float32
    ) / np.float32(255)
