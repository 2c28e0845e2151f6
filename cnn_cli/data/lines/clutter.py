"""What else is on a strip beside the line: ruled lines, boxes, edges, other lines, specks; and the camera."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cnn_cli.data.lines.characters import Cabinet

Ink = NDArray[np.float32]
"""Ink of a strip [H, W]: 0 = background, 1 = full ink."""

Kind = Callable[[Ink, Cabinet, np.random.Generator], Ink]

PLAIN = 0.45
"""Share of the strips that get none of it."""

FINE = 4
"""Lines are drawn on a grid this many times finer, so that their edges are smooth."""

THICKNESS = (0.6, 3.2)
"""Of a ruled line, in pixels."""

PALEST = 0.2
"""Least ink of a ruled line: red and light blue lines have less than a pen's."""


def cluttered(ink: Ink, known: Cabinet, rng: np.random.Generator) -> Ink:
    """Add what stands around a line on random strips."""
    if rng.random() < PLAIN:
        return ink
    for add, chance in KINDS:
        if rng.random() < chance:
            ink = add(ink, known, rng)
    return ink


def _strokes(ink: Ink, lines: list[tuple[float, float, float, float]], rng: np.random.Generator) -> Ink:
    """Add straight lines (x0, y0, x1, y1) in pixels of the strip, all of one thickness and tone."""
    height, width = ink.shape
    image = Image.new("L", (width * FINE, height * FINE))
    draw = ImageDraw.Draw(image)
    thickness = max(1, round(FINE * np.exp(rng.uniform(*np.log(THICKNESS)))))
    for line in lines:
        draw.line([value * FINE for value in line], fill=255, width=thickness)
    drawn = np.asarray(image.resize((width, height), Image.Resampling.BOX), np.float32) / np.float32(255)
    tone = np.float32(rng.uniform(PALEST, 1))
    added: Ink = np.minimum(ink + tone * drawn, 1) if rng.random() < 0.3 else np.maximum(ink, tone * drawn)
    return added


def _rules(ink: Ink, _: Cabinet, rng: np.random.Generator) -> Ink:
    """Add one or two ruled lines over the whole strip, or most of it, at any height."""
    height, width = ink.shape
    tilt, y = rng.uniform(-1.5, 1.5), rng.uniform(0, height)
    start, end = (0.0, float(width)) if rng.random() < 0.8 else np.sort(rng.uniform(0, width, 2)).tolist()
    if end - start < height:
        start, end = 0.0, float(width)
    lines = [(start, y - tilt, end, y + tilt)]
    if rng.random() < 0.35:
        below = y + rng.uniform(3, 26)
        lines.append((start, below - tilt, end, below + tilt))
    if rng.random() < 0.12:  # dashed
        step = rng.uniform(4, 12)
        lines = [
            (x, y0, min(x + step * 0.6, end), y0)
            for _, y0, _, _ in lines
            for x in np.arange(start, end, step)
        ]
    return _strokes(ink, lines, rng)


def _gaps(ink: Ink) -> NDArray[np.intp]:
    """Return the columns without ink."""
    return np.flatnonzero(ink.max(axis=0) < 0.1)


def _borders(ink: Ink, _: Cabinet, rng: np.random.Generator) -> Ink:
    """Add vertical lines between the characters from top to bottom, as of a table or a page."""
    columns, (height, width) = _gaps(ink), ink.shape
    if not len(columns):
        return ink
    tilt = rng.uniform(-0.8, 0.8)
    places = rng.choice(columns, int(rng.integers(1, 6)))
    lines = [(x - tilt, -2.0, x + tilt, height + 2.0) for x in places.tolist()]
    if rng.random() < 0.5:  # with the lines above and below
        top, bottom = rng.uniform(0, 4), height - rng.uniform(0, 4)
        lines += [(0.0, top, float(width), top), (0.0, bottom, float(width), bottom)]
    return _strokes(ink, lines, rng)


def _boxes(ink: Ink, _: Cabinet, rng: np.random.Generator) -> Ink:
    """Add a box around each group of characters that has blank columns beside it."""
    height = ink.shape[0]
    inked = np.flatnonzero(ink.max(axis=0) >= 0.1)
    if not len(inked):
        return ink
    groups = np.split(inked, np.flatnonzero(np.diff(inked) > 2) + 1)
    top, bottom = rng.uniform(0, 4), height - 1 - rng.uniform(0, 4)
    around = rng.uniform(0.5, 3)
    lines = []
    for group in groups:
        left, right = group[0] - around, group[-1] + around
        lines += [(left, top, right, top), (left, bottom, right, bottom)]
        lines += [(left, top, left, bottom), (right, top, right, bottom)]
    return _strokes(ink, lines, rng)


def _circles(ink: Ink, _: Cabinet, rng: np.random.Generator) -> Ink:
    """Add an ellipse around each group of characters that has blank columns beside it."""
    height, width = ink.shape
    inked = np.flatnonzero(ink.max(axis=0) >= 0.1)
    image = Image.new("L", (width * FINE, height * FINE))
    draw = ImageDraw.Draw(image)
    for group in np.split(inked, np.flatnonzero(np.diff(inked) > 2) + 1) if len(inked) else []:
        left, right = FINE * (group[0] - 2), FINE * (group[-1] + 3)
        draw.ellipse(
            (left, 0, right, FINE * height - 1), outline=255, width=round(FINE * rng.uniform(0.8, 2))
        )
    drawn = np.asarray(image.resize((width, height), Image.Resampling.BOX), np.float32) / np.float32(255)
    circled: Ink = np.maximum(ink, np.float32(rng.uniform(0.4, 1)) * drawn)
    return circled


def _edge(ink: Ink, _: Cabinet, rng: np.random.Generator) -> Ink:
    """Darken one side, as the edge of a page, its shadow or a book's spine does; sharp or soft."""
    width = ink.shape[1]
    shade = np.zeros_like(ink)
    tone = rng.uniform(0.15, 1)
    soft = rng.random() < 0.5
    if rng.random() < 0.7:  # at the left or right
        inked = np.flatnonzero(ink.max(axis=0) >= 0.2)
        free = int(inked[0]) if len(inked) else width // 2
        size = int(rng.integers(1, max(2, free)))
        ramp = np.linspace(1, 0, size, endpoint=False) if soft else np.ones(size)
        shade[:, :size] = tone * ramp
        at_right = width - 1 - int(inked[-1]) if len(inked) else width // 2
        if rng.random() < 0.5 and at_right >= size:
            shade = shade[:, ::-1]
    else:
        size = int(rng.integers(1, 7))
        ramp = np.linspace(1, 0, size, endpoint=False) if soft else np.ones(size)
        shade[:size] = (tone * ramp)[:, None]
        shade = shade if rng.random() < 0.5 else shade[::-1]
    return np.maximum(ink, shade).astype(np.float32)


def _other_lines(ink: Ink, known: Cabinet, rng: np.random.Generator) -> Ink:
    """Add the ends of characters of the lines above and below, which reach into the strip."""
    ink = ink.copy()
    height, width = ink.shape
    for _ in range(int(rng.integers(1, 7))):
        above, depth = rng.random() < 0.5, int(rng.integers(1, 6))
        digits = known.digits[str(rng.integers(10))]
        piece = digits[int(rng.integers(len(digits)))].astype(np.float32) / np.float32(255)
        piece = piece[-depth:] if above else piece[:depth]
        left = int(rng.integers(0, max(1, width - piece.shape[1])))
        rows = slice(0, len(piece)) if above else slice(height - len(piece), height)
        place = ink[rows, left : left + piece.shape[1]]
        np.maximum(place, piece[:, : place.shape[1]], out=place)
    return ink


def _specks(ink: Ink, _: Cabinet, rng: np.random.Generator) -> Ink:
    """Add specks of one to four pixels, which are smaller than a point."""
    ink = ink.copy()
    height, width = ink.shape
    for _number in range(int(rng.integers(1, 25))):
        y, x = int(rng.integers(height)), int(rng.integers(width))
        place = ink[y : y + int(rng.integers(1, 3)), x : x + int(rng.integers(1, 3))]
        np.maximum(place, np.float32(rng.uniform(0.1, 0.9)), out=place)
    return ink


KINDS: tuple[tuple[Kind, float], ...] = (
    (_boxes, 0.07),
    (_circles, 0.03),
    (_borders, 0.12),
    (_rules, 0.42),
    (_other_lines, 0.25),
    (_edge, 0.14),
    (_specks, 0.12),
)


def photographed(ink: Ink, rng: np.random.Generator) -> Ink:
    """Blur, coarsen, light and add noise, as the way from paper to a strip does."""
    if rng.random() < 0.15:
        ink = _coarse(ink, rng)
    if rng.random() < 0.3:
        ink = _blurred(ink, rng)
    if rng.random() < 0.25:
        ink = ink * _uneven(_size(ink), rng)
    if rng.random() < 0.15:  # beside something of more contrast
        ink = ink * np.float32(rng.uniform(0.35, 1))
    if rng.random() < 0.1:
        ink = np.maximum(ink, np.float32(rng.uniform(0, 0.3)) * (1 - _uneven(_size(ink), rng)))
    if rng.random() < 0.35:
        ink = _noisy(ink, rng)
    if rng.random() < 0.08:
        ink = (ink > rng.uniform(0.2, 0.45) * ink.max()).astype(np.float32)
    return np.clip(ink, 0, 1)


def _coarse(ink: Ink, rng: np.random.Generator) -> Ink:
    """Reduce the resolution: many images have digits of ten pixels."""
    height, width = ink.shape
    factor = rng.uniform(0.5, 0.85)
    small = Image.fromarray(ink).resize((round(width * factor), round(height * factor)), Image.Resampling.BOX)
    way = Image.Resampling.BILINEAR if rng.random() < 0.75 else Image.Resampling.NEAREST
    return np.asarray(small.resize((width, height), way))


def _blurred(ink: Ink, rng: np.random.Generator) -> Ink:
    """Blur by a kernel of three pixels, once or twice."""
    side = np.float32(rng.uniform(0.05, 0.33))
    for _ in range(int(rng.integers(1, 3))):
        for axis in (0, 1):
            around = np.roll(ink, 1, axis) + np.roll(ink, -1, axis)
            ink = (1 - 2 * side) * ink + side * around
    return ink


def _size(ink: Ink) -> tuple[int, int]:
    return ink.shape[0], ink.shape[1]


def _uneven(shape: tuple[int, int], rng: np.random.Generator) -> Ink:
    """Return factors that vary smoothly over a strip: float32 [H, W], 0.4..1."""
    coarse = rng.uniform(0.4, 1, (2, 4)).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(smooth).clip(0, 1)


def _noisy(ink: Ink, rng: np.random.Generator) -> Ink:
    """Add noise, and subtract what the image code takes for noise."""
    deviation = np.float32(rng.uniform(0, 0.12)) * max(np.float32(0.3), ink.max())
    noisy = ink + deviation * rng.standard_normal(ink.shape, dtype=np.float32)
    start = np.float32(rng.uniform(0, 3)) * deviation
    rest: Ink = (noisy - start) / (1 - start)
    return rest
