"""Digits as the image code proposes them, and wrong hypotheses about the same images.

A digit is put into an image: light or dark, tight or with a margin, small or large, with noise, lines or
gaps. The image code then proposes network inputs, as it does for a user's image. Those that show the digit
become training images; the others (the background as ink, the digit turned, a part of it) become outliers, so
that the network learns to be unsure of a wrong hypothesis, and its confidence can choose the right one.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_cli.data.disturb import DISTURBANCES, Tones
from cnn_cli.image.hypotheses import TURNS, Hypothesis, Kind, all_hypotheses
from cnn_cli.image.normalize import crop
from cnn_cli.workers import map_ordered

Images = NDArray[np.uint8]
Gray = NDArray[np.float32]

_Job = tuple[int, Images, int, np.random.Generator]
"""A digit's index, its image and label, and the generator of the image that it is put into."""

BLOCK = 250
"""Images that a worker process composes at once."""

LEAST_CONTRAST = 40
"""Gray levels between background and ink, at least."""

# A hypothesis is right if the cosine between its ink and the digit's is at least the first number, and wrong
# if it is at most the second; between them it is neither.
RIGHT, WRONG = 0.75, 0.35

# The height or width of the digit in the network's input, in pixels: within the first range a hypothesis may
# be right; below the last number it is wrong.
SIZES, TOO_SMALL = (12, 28), 9

SMALLER = Image.Resampling.BICUBIC, Image.Resampling.BOX
"""How a digit is brought to few pixels: BOX counts the ink in each, as scanners of forms did."""

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


@dataclass(frozen=True)
class _Scene:
    """A composed image."""

    gray: Gray
    """Luminance [H, W], 0..255."""
    ink: Gray
    """The digit's ink [H, W] in 0..1, before any disturbance."""
    tones: Tones


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
    scene = _compose(digit, rng)
    right, wrong = _judge(scene, label, with_turned=rng.random() < TURNED)
    return _any_of(right, rng), _any_of(wrong, rng)


def _any_of(images: list[Images], rng: np.random.Generator) -> Images | None:
    return images[rng.integers(len(images))] if images else None


def _judge(scene: _Scene, label: int, with_turned: bool) -> tuple[list[Images], list[Images]]:
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


def _verdict(hypothesis: Hypothesis, scene: _Scene) -> bool | None:
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


def _compose(digit: Images, rng: np.random.Generator) -> _Scene:
    """Put a digit into an image, in one of three ways, and disturb it."""
    ink = (_like_mnist, _tight, _on_canvas)[rng.choice(3, p=(0.3, 0.4, 0.3))](digit, rng)
    background, contrast = rng.uniform(0, 255), LEAST_CONTRAST + (255 - LEAST_CONTRAST) * rng.random() ** 0.5
    if rng.random() < 0.5:  # drawing programs have black and white
        background = float(rng.choice([0, 255]))
    sign = 1 if background + contrast <= 255 else -1
    if background - contrast < 0 and sign < 0:
        background, sign = (0.0, 1) if rng.random() < 0.5 else (255.0, -1)
    tones = Tones(background, background + sign * contrast)
    gray = (tones.background + (tones.ink - tones.background) * ink).astype(np.float32)
    for _ in range(int(rng.choice(3, p=(0.25, 0.6, 0.15)))):
        gray = DISTURBANCES[rng.integers(len(DISTURBANCES))](gray, tones, rng)
    return _Scene(np.rint(gray).astype(np.float32), ink, tones)


def _like_mnist(digit: Images, rng: np.random.Generator) -> Gray:
    """Return the digit as it is, or moved and scaled within its field."""
    whole = digit.astype(np.float32) / np.float32(255)
    if rng.random() < 0.5:
        return whole
    factor = 1 / rng.uniform(0.55, 1.15)
    x, y = rng.uniform(-4, 4, 2) * min(1, factor)
    shift = 14 * (1 - factor)
    image = Image.fromarray(whole)
    matrix = (factor, 0, shift - x * factor, 0, factor, shift - y * factor)
    moved = np.asarray(image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))
    return moved if moved.any() else whole


def _tight(digit: Images, rng: np.random.Generator) -> Gray:
    """Return the digit so that it fills a small image, perhaps stretched or with few pixels."""
    cropped = _cropped(digit)
    side = int(rng.choice([8, 8, 8, 10, 12, 16, 16, 20, 24, 28, 32, 40]))
    height, width = _fit(cropped.shape, side)
    if rng.random() < 0.3:
        width = side
    image = _resized(cropped, height, width, SMALLER[rng.integers(len(SMALLER))])
    if rng.random() < 0.6:  # a square image
        image = np.pad(image, _around(image.shape, side))
    if rng.random() < 0.4:
        image = np.pad(image, int(rng.integers(1, 1 + max(1, side // 8))))
    if rng.random() < 0.4:  # enlarged from few pixels
        factor = rng.uniform(1.5, 8)
        height, width = (min(64, round(length * factor)) for length in image.shape)
        smooth = Image.Resampling.BICUBIC if rng.random() < 0.6 else Image.Resampling.NEAREST
        image = _resized(image, height, width, smooth)
    return image


def _on_canvas(digit: Images, rng: np.random.Generator) -> Gray:
    """Return the digit somewhere on a larger image."""
    canvas = np.zeros((int(rng.integers(32, 90)), int(rng.integers(32, 90))), np.float32)
    side = round(min(canvas.shape) * rng.uniform(0.35, 0.95))
    cropped = _cropped(digit)
    ink = _resized(cropped, *_fit(cropped.shape, side))
    top, left = (
        int(rng.integers(0, whole - part + 1)) for whole, part in zip(canvas.shape, ink.shape, strict=True)
    )
    canvas[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return canvas


def _fit(shape: tuple[int, ...], side: int) -> tuple[int, int]:
    height, width = (max(1, round(length * side / max(shape))) for length in shape)
    return height, width


def _around(shape: tuple[int, ...], side: int) -> list[tuple[int, int]]:
    """Return the padding that makes an image a square of `side`."""
    missing = [max(0, side - length) for length in shape]
    return [(count // 2, count - count // 2) for count in missing]


def _resized(
    image: np.ndarray, height: int, width: int, resampling: Image.Resampling = Image.Resampling.BICUBIC
) -> Gray:
    resized = Image.fromarray(image).resize((width, height), resampling)
    return np.asarray(resized, np.float32).clip(0, 1)


def _cropped(digit: Images) -> Gray:
    return crop(digit).astype(np.float32) / np.float32(255)


def _extent(ink: Gray) -> tuple[int, int]:
    rows, columns = np.flatnonzero((ink > 0.2).any(axis=1)), np.flatnonzero((ink > 0.2).any(axis=0))
    return (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1) if len(rows) and len(columns) else (0, 0)


def _stacked(images: list[Images]) -> Images:
    return np.stack(images) if images else np.empty((0, 28, 28), np.uint8)
