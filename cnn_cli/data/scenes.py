"""Composed images: a drawing in an image of any size and tones, or a view without a drawing, disturbed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_cli.data.disturb import DISTURBANCES, Tones
from cnn_cli.image.normalize import crop

Images = NDArray[np.uint8]
Gray = NDArray[np.float32]

LEAST_CONTRAST = 40
"""Gray levels between background and ink, at least."""

SMALLER = Image.Resampling.BICUBIC, Image.Resampling.BOX
"""How a drawing is brought to few pixels: BOX counts the ink in each, as scanners of forms did."""

HEIGHTS, WIDTHS = (24, 80), (0.7, 1.6)
"""Height of a view in pixels, and its width in heights: a narrow one would be a 1."""

FALL = (0.7, 3.0)
"""The exponent of 1/frequency in a view's amplitudes: 1 in photos (Field 1987), more in uneven light."""


@dataclass(frozen=True)
class Scene:
    """A composed image."""

    gray: Gray
    """Luminance [H, W], 0..255."""
    ink: Gray
    """The drawing's ink [H, W] in 0..1, before any disturbance."""
    tones: Tones


def compose(drawing: Images, rng: np.random.Generator) -> Scene:
    """Put a drawing into an image, in one of three ways, and disturb it.

    Args:
        drawing: uint8 [28, 28], 0 = background, 255 = ink.
        rng: what everything is drawn from.
    """
    ink = (_like_mnist, _tight, _on_canvas)[rng.choice(3, p=(0.3, 0.4, 0.3))](drawing, rng)
    return _disturbed(ink, rng)


def compose_view(rng: np.random.Generator) -> Scene:
    """Return an image without a drawing: clouds, like a photo of anything or paper in uneven light."""
    height = int(rng.integers(*HEIGHTS))
    width = round(height * rng.uniform(*WIDTHS))
    view = clouds((2 * height, 2 * width), FALL, rng)[:height, :width]  # the opposite sides of clouds match
    low, high = view.min(), view.max()
    return _disturbed(((view - low) / (high - low)).astype(np.float32), rng)


def clouds(
    shape: tuple[int, int], fall: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw random clouds [H, W] of mean 0, whose amplitudes fall with the frequency.

    Args:
        shape: height and width in pixels.
        fall: range of the exponent of 1/frequency.
        rng: what noise and exponent are drawn from.
    """
    height, width = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / frequency ** rng.uniform(*fall)
    return np.fft.irfft2(spectrum, s=shape)


def _disturbed(ink: Gray, rng: np.random.Generator) -> Scene:
    """Give ink [H, W] in 0..1 and its background their tones, and disturb the image."""
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
    return Scene(np.rint(gray).astype(np.float32), ink, tones)


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
