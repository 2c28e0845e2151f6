"""Disturbances of an image before its preprocessing: noise, blur, lines, bands, gaps, outlines.

Every function takes luminance float32 [H, W] in 0..255 with the tones of its background and its ink, and
returns the same kind of array. The amounts grow with the image's side, so that a large image looks like a
small one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Gray = NDArray[np.float32]


@dataclass(frozen=True)
class Tones:
    """The two tones of an image, 0..255."""

    background: float
    ink: float

    @property
    def contrast(self) -> float:
        """Gray levels between background and ink."""
        return abs(self.ink - self.background)


Disturbance = Callable[[Gray, Tones, np.random.Generator], Gray]


def normal_noise(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Add normal noise of up to 0.35 of the contrast."""
    amount = rng.uniform(0.05, 0.35) * tones.contrast
    return _float(gray + amount * rng.standard_normal(gray.shape, dtype=np.float32))


def speckle(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Multiply the contrast by a noisy factor, as film and few photons do."""
    factor = rng.gamma(shape := rng.uniform(2, 8), 1 / shape, gray.shape)
    return _float(tones.background + (gray - tones.background) * factor)


def impulses(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Replace up to a fifth of the pixels by one of the two tones."""
    values = np.where(rng.random(gray.shape) < 0.5, tones.background, tones.ink)
    return _float(np.where(rng.random(gray.shape) < rng.uniform(0.02, 0.2), values, gray))


def blur(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Blur as a lens does, by up to a 20th of the side."""
    return _filtered(gray, ImageFilter.GaussianBlur(rng.uniform(0.01, 0.05) * max(gray.shape)))


def motion(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Blur along a line of up to a third of the side, as a moving camera does."""
    angle, length = rng.uniform(0, np.pi), rng.uniform(0.08, 0.3) * max(gray.shape)
    steps = np.linspace(-length / 2, length / 2, max(3, round(length) | 1))
    moved = [_moved(gray - tones.background, s * np.cos(angle), s * np.sin(angle)) for s in steps]
    return _float(tones.background + np.mean(moved, axis=0))


def scatter(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Let adjacent pixels change places, as frosted glass does, and blur."""
    soft = ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9) * max(gray.shape) / 28)
    reach = max(1, round(rng.uniform(1, 2) * max(gray.shape) / 28))
    rows, columns = np.indices(gray.shape)
    moved = [
        np.clip(axis + rng.integers(-reach, reach + 1, axis.shape), 0, side - 1)
        for axis, side in zip((rows, columns), gray.shape, strict=True)
    ]
    return _filtered(_float(_filtered(gray, soft)[moved[0], moved[1]]), soft)


def haze(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Add smooth clouds of up to half the contrast."""
    small = rng.standard_normal((4, 4)).astype(np.float32)
    size = gray.shape[1], gray.shape[0]
    cloud = np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))
    return _float(gray + rng.uniform(0.1, 0.35) * tones.contrast * cloud)


def bands(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Exchange the two tones in bands along one or two opposite sides."""
    result = gray.copy()
    lines = result if rng.random() < 0.3 else result.T
    widths = rng.uniform(0.1, 0.3, 2) * len(lines)
    for part in (slice(0, round(widths[0])), slice(len(lines) - round(widths[1]), None)):
        if rng.random() < 0.85:
            lines[part] = tones.background + tones.ink - lines[part]
    return result


def line(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Draw a straight, dotted or zigzag line across the image, in the ink's tone or a paler one."""
    height, width = gray.shape
    ends = np.array([[0, rng.uniform(0.1, 0.9)], [1, rng.uniform(0.1, 0.9)]])
    ends = (ends if rng.random() < 0.6 else ends[:, ::-1]) * (width, height)
    thick = max(1.0, rng.uniform(0.8, 2.0) * max(gray.shape) / 28)
    fill = float(tones.ink + (tones.background - tones.ink) * rng.choice([0, 0, rng.uniform(0, 0.6)]))
    image = Image.fromarray(gray.copy())
    draw = ImageDraw.Draw(image)
    kind = rng.integers(3)
    count = int(rng.integers(6, 16))
    points = ends[0] + np.linspace(0, 1, count)[:, None] * (ends[1] - ends[0])
    if kind == 0:
        draw.line([tuple(point) for point in ends], fill=fill, width=round(thick))
    elif kind == 1:
        for x, y in points:
            draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=fill)
    else:
        along = ends[1] - ends[0]
        normal = np.array([-along[1], along[0]]) / np.hypot(*along)
        side = np.where(np.arange(count) % 2, 1, -1)[:, None]
        points = points + rng.uniform(0.03, 0.1) * max(gray.shape) * side * normal
        draw.line([tuple(point) for point in points], fill=fill, width=round(thick))
    return np.asarray(image)


def clutter(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Draw what stands beside a digit: a period or a comma, a ruled line, a part of another digit."""
    height, width = gray.shape
    unit, ink = max(gray.shape) / 28, float(tones.ink)
    image = Image.fromarray(gray.copy())
    draw = ImageDraw.Draw(image)
    thick = max(1, round(rng.uniform(0.8, 2.2) * unit))
    kind = rng.integers(3)
    if kind == 0:
        x, y = rng.uniform(0.65, 0.98) * width, rng.uniform(0.7, 0.95) * height
        size = rng.uniform(0.8, 1.8) * unit
        draw.ellipse((x - size, y - size, x + size, y + size), fill=ink)
        if rng.random() < 0.4:
            draw.line((x, y, x - 2 * unit, y + 3 * unit), fill=ink, width=thick)
    elif kind == 1:
        place = rng.choice([rng.uniform(0, 0.15), rng.uniform(0.85, 1)])
        upright = rng.random() < 0.5
        start, end = (0, 1) if rng.random() < 0.6 else np.sort(rng.random(2))
        points = [(place, start), (place, end)] if upright else [(start, place), (end, place)]
        draw.line([(x * width, y * height) for x, y in points], fill=ink, width=thick)
    else:
        x = width * rng.choice([rng.uniform(-0.2, 0.03), rng.uniform(0.97, 1.2)])
        y, rx, ry = rng.uniform(0.2, 0.8) * height, rng.uniform(3, 7) * unit, rng.uniform(4, 10) * unit
        draw.ellipse((x - rx, y - ry, x + rx, y + ry), outline=ink, width=thick)
    return np.asarray(image)


def drops(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Spatter: drops in both tones."""
    image = Image.fromarray(gray.copy())
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(4, 20))):
        x, y = rng.uniform(0, 1, 2) * (gray.shape[1], gray.shape[0])
        radius = rng.uniform(0.3, 1.8) * max(gray.shape) / 28
        tone = tones.background if rng.random() < 0.5 else tones.ink
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=float(tone))
    return np.asarray(image)


def gaps(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Blank a few thin lines or one patch, as worn stamps and bad scans do."""
    result = gray.copy()
    if rng.random() < 0.5:
        side = round(rng.uniform(0.12, 0.25) * max(gray.shape))
        y, x = (int(rng.integers(0, max(1, length - side))) for length in gray.shape)
        result[y : y + side, x : x + side] = tones.background
        return result
    lines = result if rng.random() < 0.5 else result.T
    thick = max(1, round(rng.uniform(0.5, 1.6) * max(gray.shape) / 28))
    for start in rng.integers(0, len(lines), int(rng.integers(1, 4))):
        lines[start : start + thick] = tones.background
    return result


def outline(gray: Gray, tones: Tones, rng: np.random.Generator) -> Gray:
    """Keep only the edges of the strokes."""
    share = np.clip((gray - tones.background) / (tones.ink - tones.background), 0, 1)
    reach = 2 * max(1, round(max(gray.shape) / 40)) + 1
    mask = Image.fromarray(np.where(share > rng.uniform(0.2, 0.6), 255, 0).astype(np.uint8))
    inner = np.asarray(mask.filter(ImageFilter.MinFilter(reach)))
    edge = np.asarray(mask) > inner
    return _float(np.where(edge, tones.ink, tones.background))


DISTURBANCES: tuple[Disturbance, ...] = (
    normal_noise,
    speckle,
    impulses,
    blur,
    motion,
    scatter,
    haze,
    bands,
    line,
    line,
    clutter,
    clutter,
    drops,
    gaps,
    outline,
)
"""All disturbances; the most common, lines and what stands beside a digit, twice."""


def _float(values: np.ndarray) -> Gray:
    clipped: Gray = np.clip(values, 0, 255).astype(np.float32)
    return clipped


def _filtered(gray: Gray, image_filter: ImageFilter.Filter) -> Gray:
    rounded = Image.fromarray(np.rint(gray).astype(np.uint8))
    filtered: Gray = np.asarray(rounded.filter(image_filter), np.float32)
    return filtered


def _moved(gray: Gray, x: float, y: float) -> Gray:
    image = Image.fromarray(gray)
    matrix = (1, 0, -x, 0, 1, -y)
    moved: Gray = np.asarray(
        image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)
    )
    return moved
