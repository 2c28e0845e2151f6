"""Corrupted digits: one function for each of 17 kinds, like those of MNIST-C.

Mu, Gilmer: MNIST-C: a robustness benchmark for computer vision, 2019 (arXiv 1906.02337). Most kinds are
theirs; functions and amounts are this project's. Training does not use them: it has its own disturbances
(`cnn_cli/data/disturb.py`). Every function takes a digit uint8 [28, 28], 0 = background, and returns one.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Digit = NDArray[np.uint8]
Corruption = Callable[[Digit, np.random.Generator], Digit]

SIDE = 28


def shot_noise(digit: Digit, rng: np.random.Generator) -> Digit:
    """Photon noise: every pixel is a Poisson count of few photons."""
    return _levels(rng.poisson(digit / 255 * 5) / 5 * 255)


def impulse_noise(digit: Digit, rng: np.random.Generator) -> Digit:
    """Salt and pepper: 17 % of the pixels are black or white."""
    values = np.where(rng.random(digit.shape) < 0.5, 0, 255)
    return _levels(np.where(rng.random(digit.shape) < 0.17, values, digit))


def gaussian_noise(digit: Digit, rng: np.random.Generator) -> Digit:
    """Normal noise with a deviation of 0.25 of the contrast."""
    return _levels(digit + 64 * rng.standard_normal(digit.shape))


def glass_blur(digit: Digit, rng: np.random.Generator) -> Digit:
    """Frosted glass: pixels change places with adjacent ones twice, between two blurs."""
    soft = ImageFilter.GaussianBlur(0.7)
    blurred = np.asarray(Image.fromarray(digit).filter(soft))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for _ in range(2):
        y, x = (np.clip(axis + rng.integers(-1, 2, axis.shape), 0, SIDE - 1) for axis in (rows, columns))
        blurred = blurred[y, x]
    return np.asarray(Image.fromarray(blurred).filter(soft))


def motion_blur(digit: Digit, rng: np.random.Generator) -> Digit:
    """A camera that moves by seven pixels in a random direction."""
    angle = rng.uniform(0, np.pi)
    return _levels(
        np.mean([_moved(digit, step * np.cos(angle), step * np.sin(angle)) for step in range(-3, 4)], axis=0)
    )


def shear(digit: Digit, rng: np.random.Generator) -> Digit:
    """A slant of 0.5 pixels a row to either side."""
    slant = 0.5 * rng.choice([-1, 1])
    return _affine(digit, (1, slant, -slant * SIDE / 2, 0, 1, 0))


def scale(digit: Digit, rng: np.random.Generator) -> Digit:
    """A digit of 0.5 to 0.7 of its size."""
    factor = 1 / rng.uniform(0.5, 0.7)
    shift = SIDE / 2 * (1 - factor)
    return _affine(digit, (factor, 0, shift, 0, factor, shift))


def rotate(digit: Digit, rng: np.random.Generator) -> Digit:
    """A rotation by 20 to 30 degrees to either side."""
    angle = rng.uniform(20, 30) * rng.choice([-1, 1])
    return np.asarray(Image.fromarray(digit).rotate(angle, Image.Resampling.BILINEAR))


def translate(digit: Digit, rng: np.random.Generator) -> Digit:
    """A shift of 3 to 5 pixels in both directions."""
    x, y = rng.uniform(3, 5, 2) * rng.choice([-1, 1], 2)
    return _moved(digit, x, y)


def brightness(digit: Digit, rng: np.random.Generator) -> Digit:
    """All pixels lighter by 0.5 of the range."""
    return _levels(digit.astype(float) + 128)


def low_contrast(digit: Digit, rng: np.random.Generator) -> Digit:
    """A fifth of the contrast, around a random tone."""
    return _levels(rng.uniform(30, 170) + 0.2 * digit)


def stripe(digit: Digit, rng: np.random.Generator) -> Digit:
    """An inverted band of seven pixels at the left and at the right side."""
    striped = digit.copy()
    striped[:, :7] = 255 - striped[:, :7]
    striped[:, -7:] = 255 - striped[:, -7:]
    return striped


def fog(digit: Digit, rng: np.random.Generator) -> Digit:
    """Drifting fog: smooth noise is added, and the digit fades."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    frequency[0, 0] = np.inf
    cloud = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) / frequency**1.5, s=(SIDE, SIDE))
    cloud = (cloud - cloud.min()) / np.ptp(cloud)
    return _levels(digit * 0.65 + 140 * cloud)


def spatter(digit: Digit, rng: np.random.Generator) -> Digit:
    """Splashes: light and dark drops of one to two pixels."""
    image = Image.fromarray(digit)
    draw = ImageDraw.Draw(image)
    for x, y in rng.uniform(0, SIDE, (14, 2)):
        radius = rng.uniform(0.5, 1.6)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(rng.choice([0, 200, 255])))
    return np.asarray(image)


def dotted_line(digit: Digit, rng: np.random.Generator) -> Digit:
    """A dotted straight line across the image."""
    image = Image.fromarray(digit)
    draw = ImageDraw.Draw(image)
    ends = _across(rng)
    for share in np.arange(0, 1, 0.09):
        x, y = ends[0] + share * (ends[1] - ends[0])
        draw.ellipse((x - 0.6, y - 0.6, x + 0.6, y + 0.6), fill=255)
    return np.asarray(image)


def zigzag(digit: Digit, rng: np.random.Generator) -> Digit:
    """A zigzag line across the image."""
    start, end = _across(rng)
    along = np.linspace(0, 1, 9)[:, None]
    normal = np.array([start[1] - end[1], end[0] - start[0]]) / max(np.hypot(*(end - start)), 1)
    points = start + along * (end - start) + 2 * normal * np.where(np.arange(9) % 2, 1, -1)[:, None]
    image = Image.fromarray(digit)
    ImageDraw.Draw(image).line([tuple(point) for point in points], fill=255, width=1)
    return np.asarray(image)


def edges(digit: Digit, rng: np.random.Generator) -> Digit:
    """The outline of the strokes, one pixel wide."""
    inked = digit > 100
    inside = np.pad(inked, 1)
    core = inside[1:-1, 1:-1] & inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return np.where(inked & ~core, 255, 0).astype(np.uint8)


CORRUPTIONS: dict[str, Corruption] = {
    function.__name__: function
    for function in (
        shot_noise,
        impulse_noise,
        gaussian_noise,
        glass_blur,
        motion_blur,
        shear,
        scale,
        rotate,
        translate,
        brightness,
        low_contrast,
        stripe,
        fog,
        spatter,
        dotted_line,
        zigzag,
        edges,
    )
}


def _levels(values: NDArray[np.floating]) -> Digit:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _affine(digit: Digit, matrix: tuple[float, ...]) -> Digit:
    image = Image.fromarray(digit)
    return np.asarray(image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))


def _moved(digit: Digit, x: float, y: float) -> Digit:
    return _affine(digit, (1, 0, -x, 0, 1, -y))


def _across(rng: np.random.Generator) -> NDArray[np.floating]:
    """Return a point on the left or upper side, and one on the opposite side: [2, 2], (x, y)."""
    ends = np.array([[0, rng.uniform(4, 24)], [SIDE, rng.uniform(4, 24)]])
    return ends if rng.random() < 0.5 else ends[:, ::-1]
