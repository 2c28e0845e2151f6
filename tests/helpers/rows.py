"""Compose images of rows of MNIST's digits, whose text and boxes are known."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are the first ones outside."""

# At MNIST's scale, where a digit is 20 pixels high.
SPACING = 2, 8  # between the boxes of two neighbors
OVERLAP = 0, 3  # of the boxes of two neighbors that touch
JITTER = 1.5  # largest distance of a digit above or below its line
SIZES = 0.85, 1.15  # scale of a digit
MARGIN = 6, 20  # background around


@dataclass(frozen=True)
class Page:
    """An image of digits and its text."""

    image: np.ndarray
    """uint8 [H, W]."""
    text: str
    boxes: list[Box]

    @property
    def png(self) -> bytes:
        """The image as a file."""
        file = io.BytesIO()
        Image.fromarray(self.image).save(file, format="PNG")
        return file.getvalue()


@dataclass(frozen=True)
class Line:
    """The ink of one line, uint8 [H, W], 0 = background, with its text and the digits' boxes."""

    ink: np.ndarray
    text: str
    boxes: list[Box]


def line(
    digits: Sequence[np.ndarray],
    text: str,
    random: np.random.Generator,
    *,
    scale: float = 1,
    touching: bool = False,
    spacing: tuple[float, float] = SPACING,
    slope: float = 0,
) -> Line:
    """Put digits uint8 [28, 28] next to each other.

    Args:
        digits: the images, 0 = background.
        text: their labels.
        random: for sizes, gaps and jitter.
        scale: a digit's height becomes 20 pixels times this times a random size.
        touching: whether the boxes of neighbors touch or overlap.
        spacing: range of the gap between the boxes of neighbors, in pixels at MNIST's scale.
        slope: of the baseline, in pixels down for each pixel to the right.
    """
    drawn = [_resized(digit, scale * random.uniform(*SIZES)) for digit in digits]
    width = sum(digit.shape[1] for digit in drawn) + round(len(drawn) * (spacing[1] + 4) * scale)
    height = max(digit.shape[0] for digit in drawn) + round(4 * JITTER * scale + abs(slope) * width)
    ink = np.zeros((height, width), np.uint8)
    left, boxes = 0, []
    start = height / 2 - slope * width / 2
    for number, digit in enumerate(drawn):
        middle = start + slope * left + random.uniform(-JITTER, JITTER) * scale
        top = int(np.clip(round(middle - digit.shape[0] / 2), 0, height - digit.shape[0]))
        if number and touching:
            left = boxes[-1][2] - round(random.integers(OVERLAP[0], OVERLAP[1] + 1) * scale)
        elif number:
            left = boxes[-1][2] + round(random.uniform(*spacing) * scale)
        left = max(0, left)
        here = ink[top : top + digit.shape[0], left : left + digit.shape[1]]
        np.maximum(here, digit, out=here)
        boxes.append((left, top, left + digit.shape[1], top + digit.shape[0]))
    return Line(ink[:, : max(box[2] for box in boxes)], text, boxes)


def page(lines: Sequence[Line], random: np.random.Generator, *, scale: float, gap: float = 8) -> Page:
    """Put lines below each other, `gap` pixels at MNIST's scale apart, on a background in uneven light."""
    margins = np.rint(random.uniform(*MARGIN, 4) * scale).astype(int)
    between = round(gap * scale)
    height = sum(line.ink.shape[0] + between for line in lines) - between
    ink = np.zeros((height, max(line.ink.shape[1] for line in lines)), np.uint8)
    boxes, top = [], 0
    for each in lines:
        ink[top : top + each.ink.shape[0], : each.ink.shape[1]] = each.ink
        boxes += [(x0, y0 + top, x1, y1 + top) for x0, y0, x1, y1 in each.boxes]
        top += each.ink.shape[0] + between
    ink = np.pad(ink, (margins[:2], margins[2:]))
    y, x = margins[0], margins[2]
    boxes = [(x0 + x, y0 + y, x1 + x, y1 + y) for x0, y0, x1, y1 in boxes]
    return Page(photographed(ink, random), "\n".join(line.text for line in lines), boxes)


def photographed(ink: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Put ink uint8 [H, W] on a background with noise and uneven light; one in four is light on dark."""
    background, contrast, noise = random.uniform(190, 245), random.uniform(90, 180), random.uniform(0, 5)
    y, x = np.mgrid[-1 : 1 : ink.shape[0] * 1j, -1 : 1 : ink.shape[1] * 1j]
    tilt = random.uniform(-0.1, 0.1, 2)
    light = 1 + tilt[0] * x + tilt[1] * y - random.uniform(0, 0.1) * (x * x + y * y)
    gray = (background - contrast * (ink / 255.0)) * light + random.normal(0, noise, ink.shape)
    gray = np.clip(np.rint(gray), 0, 255).astype(np.uint8)
    return 255 - gray if random.random() < 0.25 else gray


def strings(
    images: np.ndarray, labels: np.ndarray, count: int, seed: int, *, touching: bool = False
) -> list[Page]:
    """Return `count` images of one row of 3 to 8 digits, drawn from uint8 [N, 28, 28] and labels [N]."""
    random = np.random.default_rng(seed)
    pages = []
    for _ in range(count):
        chosen = random.integers(len(images), size=random.integers(3, 9))
        text, scale = "".join(str(labels[index]) for index in chosen), random.uniform(1, 6)
        row = line(images[chosen], text, random, scale=scale, touching=touching)
        pages.append(page([row], random, scale=scale))
    return pages


def _resized(digit: np.ndarray, scale: float) -> np.ndarray:
    """Crop a digit to its ink and scale it."""
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    cropped = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = max(1, round(cropped.shape[1] * scale)), max(1, round(cropped.shape[0] * scale))
    return np.asarray(Image.fromarray(cropped).resize(size, Image.Resampling.BICUBIC))
