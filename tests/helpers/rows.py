"""Compose images of rows of MNIST's digits, whose text and boxes are known."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

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
    drops: Sequence[float] | None = None,
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
        drops: how far below the line each of them is, in pixels at MNIST's scale; by default not at all.
    """
    drawn = [_resized(digit, scale * random.uniform(*SIZES)) for digit in digits]
    width = sum(digit.shape[1] for digit in drawn) + round(len(drawn) * (spacing[1] + 4) * scale)
    height = max(digit.shape[0] for digit in drawn) + round(4 * JITTER * scale + abs(slope) * width)
    ink = np.zeros((height, width), np.uint8)
    left, boxes = 0, []
    start = height / 2 - slope * width / 2
    for number, digit in enumerate(drawn):
        middle = start + slope * left + random.uniform(-JITTER, JITTER) * scale
        middle += scale * (drops[number] if drops else 0)
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
    images: np.ndarray,
    labels: np.ndarray,
    count: int,
    seed: int,
    *,
    touching: bool = False,
    ruled: bool = False,
    signs: bool = False,
) -> list[Page]:
    """Return `count` images of one row of 3 to 8 digits, drawn from uint8 [N, 28, 28] and labels [N].

    Args:
        images: of digits.
        labels: theirs.
        count: of the images.
        seed: of all draws.
        touching: whether neighbors touch or overlap.
        ruled: whether a ruled line of any tone goes through the digits, at any height.
        signs: whether signs stand between digits; they are no part of the text.
    """
    random = np.random.default_rng(seed)
    pages = []
    for _ in range(count):
        chosen = random.integers(len(images), size=random.integers(3, 9))
        text, scale = "".join(str(labels[index]) for index in chosen), random.uniform(1, 6)
        drawn, drops = list(images[chosen]), [0.0] * len(chosen)
        if signs:
            drawn, drops = _with_signs(drawn, random)
        row = line(drawn, text, random, scale=scale, touching=touching, drops=drops)
        if ruled:
            row = Line(_ruled(row.ink, random, scale), row.text, row.boxes)
        pages.append(page([row], random, scale=scale))
    return pages


SIGNS = {
    "+": (("4,10 16,10", "10,4 10,16"), 0),
    "-": (("5,10 15,10",), 0),
    "=": (("5,8 15,8", "5,13 15,13"), 0),
    "/": (("5,23 15,-3",), 0),
    ".": (("10,10 11,10",), 9),
    ",": (("11,8 10,12",), 10),
}
"""Signs as straight strokes in MNIST's scale, and how far below a digit's middle their middle is."""


def _with_signs(
    digits: list[np.ndarray], random: np.random.Generator
) -> tuple[list[np.ndarray], list[float]]:
    """Put a sign after some digits, at least after one; also return how far each is below the line."""
    after = random.random(len(digits)) < 0.4
    after[random.integers(len(digits))] = True
    drawn, drops = [], []
    for digit, has_sign in zip(digits, after, strict=True):
        drawn.append(digit)
        drops.append(0.0)
        if has_sign:
            strokes, drop = SIGNS[str(random.choice(list(SIGNS)))]
            image = Image.new("L", (28 * 4, 28 * 4))
            for stroke in strokes:
                points = [tuple(4 * float(end) + 16 for end in point.split(",")) for point in stroke.split()]
                ImageDraw.Draw(image).line(points, fill=255, width=int(random.integers(6, 12)))
            drawn.append(np.asarray(image.resize((28, 28), Image.Resampling.BOX)))
            drops.append(float(drop))
    return drawn, drops


def _ruled(ink: np.ndarray, random: np.random.Generator, scale: float) -> np.ndarray:
    """Draw a ruled line over the whole width through the digits, of any tone that ink may have."""
    thickness = max(1, round(random.uniform(0.5, 2) * scale))
    top = int(random.integers(0, len(ink) - thickness + 1))
    ruled = ink.copy()
    tone = np.uint8(random.uniform(0.25, 1) * 255)
    np.maximum(ruled[top : top + thickness], tone, out=ruled[top : top + thickness])
    return ruled


def _resized(digit: np.ndarray, scale: float) -> np.ndarray:
    """Crop a digit to its ink and scale it."""
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    cropped = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = max(1, round(cropped.shape[1] * scale)), max(1, round(cropped.shape[0] * scale))
    return np.asarray(Image.fromarray(cropped).resize(size, Image.Resampling.BICUBIC))
