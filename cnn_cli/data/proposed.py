"""Digits as the image code proposes them, and wrong hypotheses about the same images.

A digit is put into an image: light or dark, tight or with a margin, small or large, with noise, lines or
gaps. The image code then proposes network inputs, as it does for a user's image. Those that show the digit
become training images; the others (the background as ink, the digit turned, a part of it) become outliers, so
that the network learns to be unsure of a wrong hypothesis, and its confidence can choose the right one. About
an image without a digit all hypotheses are wrong: a letter, a view of anything, paper in uneven light.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.scenes import Scene, compose, compose_view
from cnn_cli.image.hypotheses import TURNS, Hypothesis, Kind, all_hypotheses
from cnn_cli.workers import map_ordered

Images = NDArray[np.uint8]
Gray = NDArray[np.float32]

_Job = tuple[int, Images, int, np.random.Generator]
"""A digit's index, its image and label, and the generator of the image that it is put into."""

BLOCK = 250
"""Images that a worker process composes at once."""

# A hypothesis is right if the cosine between its ink and the digit's is at least the first number, and wrong
# if it is at most the second; between them it is neither.
RIGHT, WRONG = 0.75, 0.35

# The height or width of the digit in the network's input, in pixels: within the first range a hypothesis may
# be right; below the last number it is wrong.
SIZES, TOO_SMALL = (12, 28), 9

WITHOUT_DRAWING = 0.35
"""Share of views among the images without a digit; the others show a drawing."""

TURNED = 0.25
"""Share of the images whose turned hypotheses may become outliers; there are three for each image."""

# Digits that are another digit or themselves when they are turned by 90 or 180 degrees: no outliers.
ROUND = {0, 1, 8}
UPSIDE_DOWN = {0, 1, 2, 5, 6, 8, 9}


@dataclass(frozen=True)
class Proposals:
    """What the image code proposed for composed images."""

    digits: Images
    """uint8 [K, 28, 28], 0 = background: right hypotheses, one per image."""
    which: NDArray[np.int64]
    """int64 [K]: the digit that each shows, as an index into the given images."""
    wrong: Images
    """uint8 [M, 28, 28]: wrong hypotheses, at most one per image."""


def propose(images: Images, labels: NDArray[np.integer], count: int, seed: int) -> Proposals:
    """Compose images until there are `count` right hypotheses.

    Args:
        images: uint8 [N, 28, 28], 0 = background.
        labels: [N], the digits 0..9.
        count: number of right hypotheses.
        seed: any integer from 0. An image depends only on the digits, the seed and its number.
    """
    inked = np.flatnonzero(images.any(axis=(1, 2)))
    digits: list[Images] = []
    which: list[int] = []
    wrong: list[Images] = []
    with closing(map_ordered(_propose_block, _blocks(images, labels, inked, 3 * count, seed))) as blocks:
        for index, right, other in chain.from_iterable(blocks):
            if len(digits) >= count:
                break
            if right is not None:  # a disturbed image may have no right hypothesis
                digits.append(right)
                which.append(index)
            if other is not None:
                wrong.append(other)
    return Proposals(_stacked(digits), np.array(which, np.int64), _stacked(wrong))


def propose_outliers(drawings: Images, count: int, seed: int) -> Images:
    """Compose images without a digit, and return one hypothesis about each.

    Args:
        drawings: uint8 [N, 28, 28] of no digits, 0 = background.
        count: number of images; of one that shows nothing, there is no hypothesis.
        seed: any integer from 0. An image depends only on the drawings, the seed and its number.

    Returns:
        uint8 [M, 28, 28], at most `count`.
    """
    blocks = (
        [
            (drawings[number % len(drawings)], np.random.default_rng([seed, number]))
            for number in range(first, min(first + BLOCK, count))
        ]
        for first in range(0, count if len(drawings) else 0, BLOCK)
    )
    with closing(map_ordered(_outlier_block, blocks)) as made:
        return _stacked([image for image in chain.from_iterable(made) if image is not None])


def _outlier_block(block: list[tuple[Images, np.random.Generator]]) -> list[Images | None]:
    """Return a hypothesis for each drawing, or for a view in its place."""
    return [_any_of(_upright(drawing, rng), rng) for drawing, rng in block]


def _upright(drawing: Images, rng: np.random.Generator) -> list[Images]:
    """Return the network inputs of an image without a digit; many a turned sign is a digit."""
    scene = compose_view(rng) if rng.random() < WITHOUT_DRAWING else compose(drawing, rng)
    return [each.digit.pixels for each in all_hypotheses(scene.gray) if each.kind not in TURNS]


def _blocks(
    images: Images, labels: NDArray[np.integer], inked: NDArray[np.intp], count: int, seed: int
) -> Iterator[list[_Job]]:
    """Yield what is composed, `BLOCK` images at a time."""
    for first in range(0, count if len(inked) else 0, BLOCK):
        block = []
        for number in range(first, min(first + BLOCK, count)):
            rng = np.random.default_rng([seed, number])
            index = int(inked[rng.choice(len(inked))])
            block.append((index, images[index], int(labels[index]), rng))
        yield block


def _propose_block(block: list[_Job]) -> list[tuple[int, Images | None, Images | None]]:
    """Return for each image the digit's index, a right and a wrong hypothesis."""
    return [(index, *_propose(digit, label, rng)) for index, digit, label, rng in block]


def _propose(digit: Images, label: int, rng: np.random.Generator) -> tuple[Images | None, Images | None]:
    scene = compose(digit, rng)
    right, wrong = _judge(scene, label, with_turned=rng.random() < TURNED)
    return _any_of(right, rng), _any_of(wrong, rng)


def _any_of(images: list[Images], rng: np.random.Generator) -> Images | None:
    return images[rng.integers(len(images))] if images else None


def _judge(scene: Scene, label: int, with_turned: bool) -> tuple[list[Images], list[Images]]:
    """Return the network inputs that show the scene's digit, and those that do not."""
    right: list[Images] = []
    wrong: list[Images] = []
    for hypothesis in all_hypotheses(scene.gray):
        if hypothesis.kind in TURNS and not with_turned:
            break  # they come last
        verdict = _turned(hypothesis, label) if hypothesis.kind in TURNS else _verdict(hypothesis, scene)
        if verdict is not None:
            (right if verdict else wrong).append(hypothesis.digit.pixels)
    return right, wrong


def _verdict(hypothesis: Hypothesis, scene: Scene) -> bool | None:
    """Return whether a hypothesis shows the digit; None if neither answer is clear."""
    is_light = scene.tones.ink > scene.tones.background
    size = hypothesis.digit.scale * max(_extent(scene.ink))
    if hypothesis.kind in (Kind.WHOLE_LIGHT, Kind.AS_IS, Kind.WHOLE_DARK, Kind.INVERTED):
        if (hypothesis.kind in (Kind.WHOLE_LIGHT, Kind.AS_IS)) != is_light:
            return False
        return True if SIZES[0] <= size <= SIZES[1] else False if size < TOO_SMALL else None
    overlap = float((hypothesis.ink * scene.ink).sum())
    cosine = overlap / max(1e-6, float(np.linalg.norm(hypothesis.ink) * np.linalg.norm(scene.ink)))
    if cosine >= RIGHT and size >= SIZES[0]:
        return True
    return False if cosine <= WRONG else None


def _turned(hypothesis: Hypothesis, label: int) -> bool | None:
    """Return False if a turned upright digit is no digit, and None if it may be one."""
    harmless = UPSIDE_DOWN if hypothesis.kind == Kind.TURNED_180 else ROUND
    return None if label in harmless else False


def _extent(ink: Gray) -> tuple[int, int]:
    rows, columns = np.flatnonzero((ink > 0.2).any(axis=1)), np.flatnonzero((ink > 0.2).any(axis=0))
    return (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1) if len(rows) and len(columns) else (0, 0)


def _stacked(images: list[Images]) -> Images:
    return np.stack(images) if images else np.empty((0, 28, 28), np.uint8)
