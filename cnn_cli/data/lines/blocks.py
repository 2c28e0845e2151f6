"""Blocks of composed lines, made in worker processes, which import no torch."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.lines.characters import SIGNS, Images, cabinet
from cnn_cli.data.lines.clutter import cluttered, photographed
from cnn_cli.data.lines.compose import compose
from cnn_cli.data.synthetic.styles import draw_styles
from cnn_cli.workers import map_ordered

Texts = NDArray[np.int64]
"""Texts [N, LONGEST]: indices into `CLASSES`, then -1."""

CLASSES = (*"0123456789", *SIGNS)
"""What a line is made of; letters and other signs are not read."""

LONGEST = 24
"""Upper limit of the characters in a line."""

BLOCK = 250
"""Lines that a worker process composes at once. A block depends on the digits, the seed and its number."""

DIGITS, DRAWN = 1500, 250
"""Digits of the data set and of other styles that the lines of a block are composed of."""


@dataclass(frozen=True)
class _Block:
    """What a worker process composes."""

    digits: Images
    labels: NDArray[np.integer]
    seed: tuple[int, int]
    count: int
    shape: tuple[int, int]


def compose_lines(
    digits: Images, labels: NDArray[np.integer], count: int, seed: int, shape: tuple[int, int]
) -> tuple[Images, Texts]:
    """Compose lines of digits.

    Args:
        digits: uint8 [N, 28, 28], 0 = background.
        labels: [N], the digits 0..9; each of them occurs.
        count: number of lines.
        seed: any integer from 0.
        shape: height and width of a strip.

    Returns:
        Strips uint8 [count, H, W], 0 = background, and their texts.
    """
    strips = np.empty((count, *shape), np.uint8)
    texts = np.empty((count, LONGEST), np.int64)
    with closing(map_ordered(_compose_block, _blocks(digits, labels, count, seed, shape))) as blocks:
        for number, (some, their_texts) in enumerate(blocks):
            part = slice(number * BLOCK, number * BLOCK + len(some))
            strips[part], texts[part] = some, their_texts
    return strips, texts


def _blocks(
    digits: Images, labels: NDArray[np.integer], count: int, seed: int, shape: tuple[int, int]
) -> Iterator[_Block]:
    inked = np.flatnonzero(digits.any(axis=(1, 2)))
    of_label = [inked[labels[inked] == label] for label in range(10)]
    for number in range(-(-count // BLOCK)):
        rng = np.random.default_rng([seed, number])
        which = np.concatenate([rng.choice(some, DIGITS // 10) for some in of_label])
        size = min(BLOCK, count - number * BLOCK)
        yield _Block(digits[which], labels[which], (seed, number), size, shape)


def _compose_block(block: _Block) -> tuple[Images, Texts]:
    rng = np.random.default_rng([*block.seed, 1])
    drawn, drawn_labels = draw_styles(DRAWN, int(rng.integers(2**31)))
    known = cabinet(block.digits, block.labels, drawn, drawn_labels, int(rng.integers(2**31)))
    strips = np.empty((block.count, *block.shape), np.uint8)
    texts = np.full((block.count, LONGEST), -1, np.int64)
    for number in range(block.count):
        ink, text = compose(known, block.shape, rng)
        strips[number] = np.rint(255 * photographed(cluttered(ink, known, rng), rng))
        indices = [CLASSES.index(character) for character in text[:LONGEST]]
        texts[number, : len(indices)] = indices
    return strips, texts
