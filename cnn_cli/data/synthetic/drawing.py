"""Digits drawn by the program: training data without a download."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.synthetic import render, shape
from cnn_cli.data.synthetic.splines import alphabet
from cnn_cli.workers import cores

Digits = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Images uint8 [n, 28, 28], 0 = background, 255 = ink; and their labels uint8 [n]."""

VERSION = 1  # increased when the same seed draws other digits; a part of the cache file's name
BLOCK = 250  # digits drawn at once: their 20x20 boxes fill 400 kB and stay in a core's cache


def draw(count: int, seed: int) -> Digits:
    """Draw digits in MNIST's format.

    Digits are drawn in blocks of 250, and a block depends only on the seed and its number. So `draw(n, seed)`
    is the beginning of `draw(m, seed)` for every n < m, and the number of threads does not matter. Each ten
    successive digits have every class once, in random order.

    Args:
        count: number of digits.
        seed: any integer from 0.

    Returns:
        images: uint8 [count, 28, 28], 0 = background, 255 = ink.
        labels: uint8 [count].
    """
    return in_blocks(_block, count, seed)


def in_blocks(draw_block: Callable[[int, int], Digits], count: int, seed: int) -> Digits:
    """Draw digits in blocks of 250, on several threads.

    Args:
        draw_block: given the seed and the number of a block, returns its 250 images and their labels.
        count: number of digits; the last block is cut off.
        seed: any integer from 0.
    """
    images = np.empty((count, render.FIELD, render.FIELD), dtype=np.uint8)
    labels = np.empty(count, dtype=np.uint8)

    def fill(block: int) -> None:
        part = slice(block * BLOCK, min((block + 1) * BLOCK, count))
        drawn = draw_block(seed, block)
        for target, values in zip((images, labels), drawn, strict=True):
            target[part] = values[: part.stop - part.start]

    with ThreadPoolExecutor(threads()) as pool:
        list(pool.map(fill, range(-(-count // BLOCK))))  # a list, so that an error in a thread is raised here
    return images, labels


def draw_variants(variants: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw images uint8 [n, 28, 28] of the given variants [n], numbered as in `splines.alphabet`."""
    return render.render(*shape.write(alphabet(), variants, rng), rng)


def _block(seed: int, block: int) -> Digits:
    rng = np.random.default_rng([seed, block])
    labels = rng.permuted(np.tile(np.arange(10, dtype=np.uint8), (BLOCK // 10, 1)), axis=1).ravel()
    return draw_variants(alphabet().draw_variants(labels, rng), rng), labels


def threads() -> int:
    """Return the number of cores that this process may use, at most 4: more threads only wait for Python."""
    return min(cores(), 4)
