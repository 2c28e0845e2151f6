"""Luminance -> contrast: how far each pixel differs from the background around it, towards the ink."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnn_cli.image.quantiles import median, quantile, sample

# In the output of a drawing program the background has a single tone. Ink differs from it by more than this
# many gray levels, JPEG's rounding by less.
FLAT_TOLERANCE = 2.0

# In a two-tone drawing at least FULL_SHARE of the ink pixels have at least FULL_CONTRAST of the highest
# contrast. In MNIST about half have it. A gray page on a white background, with little ink, has far fewer.
FULL_SHARE = 0.3
FULL_CONTRAST = 0.7

# A thick digit can fill the image, so that neither ink nor background is rare: each covers at least COVER of
# it. Then most of the border is background, above all near the corners. If over BORDER_MIXED of the border
# has one tone, the border decides nothing: it is a frame, or the desk around a page. And there must be two
# tones: at least TWO_TONES of the variance lies between them; for an even gradient of light it is 3/4.
COVER = 0.2
TWO_TONES = 0.8
BORDER_MIXED = 0.97

# A margin of one tone ends at the first line whose median differs by this many gray levels, which is more
# than JPEG's ringing. In each line of the margin at least MARGIN_SHARE of the pixels have its tone.
MARGIN_STEP = 8.0
MARGIN_SHARE = 0.98

# Lines that are examined at once. Most images have no margin, which the first block shows.
MARGIN_BLOCK = 32

# Side of the reduced images from which the illumination (smooth) and the polarity (needs strokes) are
# estimated.
LIGHT_SIDE = 32
POLARITY_SIDE = 64

# The terms of a quadratic surface: the powers of y and of x.
QUADRATIC = (0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0)

# Rounds of the robust fit; the surface no longer changes after five or six.
FIT_ROUNDS = 8

# Singular values below this share of the largest one count as zero. The smallest of a complete image with
# even weights is 0.06 of the largest.
RANK = 1e-10

# What is narrower than this share of the image is a stroke; what is wider is background or shadow. Strokes
# that people draw are at most 0.17 of the digit's height wide; where two meet, the ink is wider.
STROKE_WINDOW = 0.3


@dataclass(frozen=True)
class ContrastMap:
    """How far each pixel differs from the background around it."""

    contrast: np.ndarray
    """Gray levels between background and pixel, towards the ink: float32 [H, W], 0 or more."""
    noise: float
    """Standard deviation of the background in gray levels; 0 for a two-tone drawing."""
    ink_is_light: bool
    """Whether ink is lighter than the background."""
    unevenness: float
    """Gray levels between the brightest and the darkest illumination; 0 for a two-tone drawing."""


def measure_contrast(
    gray: np.ndarray, window: int | None = None, *, light_ink: bool | None = None
) -> ContrastMap:
    """Measure the contrast of ink against the background.

    Args:
        gray: luminance, float32 [H, W], 0..255.
        window: what is narrower than this, in pixels, counts as a stroke. Default: `STROKE_WINDOW` of the
            longer side, which suits an image of one digit.
        light_ink: whether ink is lighter than its background; None if the image decides.
    """
    if light_ink is not None:
        return _contrast_of(gray, _fit_illumination(gray, median(sample(gray))), light_ink, window)
    thick = _background_around_thick_digit(gray)
    tone = median(sample(gray)) if thick is None else thick
    drawing = _two_tone_contrast(gray, tone)
    if drawing is not None:
        return drawing
    illumination = _fit_illumination(gray, tone)
    even = gray - illumination
    ink_is_light = _ink_is_light(even) if thick is None else float(even.sum()) > 0
    return _contrast_of(gray, illumination, ink_is_light, window)


def _contrast_of(
    gray: np.ndarray, illumination: np.ndarray, ink_is_light: bool, window: int | None
) -> ContrastMap:
    """Return how far the pixels are from what is behind the strokes: a closing removes what is narrow."""
    even = illumination - gray if ink_is_light else gray - illumination
    window = window or max(3, round(max(even.shape) * STROKE_WINDOW))
    below = _closing(even, window) - even
    values = sample(below)
    middle, low = median(values), quantile(values, 0.159)  # mostly background; 15.9 % lie below -1 deviation
    contrast = np.maximum(below - np.float32(middle), 0)
    return ContrastMap(contrast, middle - low, ink_is_light, float(np.ptp(illumination)))


def without_margin(gray: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns inside a margin that was added around an image in another tone.

    A margin is removed only if it is on two opposite sides and the tone changes behind it: in a drawing the
    background continues behind the margin, and a stroke along one edge has no counterpart on the other.
    """
    rows = _inside_margin(gray)
    return rows, _inside_margin(gray[rows].T)


def _inside_margin(lines: np.ndarray) -> slice:
    first = _margin(lines)
    last = _margin(lines[::-1]) if first else 0
    if not last or abs(median(lines[0]) - median(lines[-1])) > MARGIN_STEP:
        return slice(None)
    return slice(first, len(lines) - last)


def _margin(lines: np.ndarray) -> int:
    """Return the number of lines, from the first on, that have one tone; 0 if no other tone follows."""
    tone = median(lines[0])
    needed = MARGIN_SHARE * lines.shape[1]
    for start in range(0, len(lines), MARGIN_BLOCK):
        close = np.abs(lines[start : start + MARGIN_BLOCK] - np.float32(tone)) <= MARGIN_STEP
        plain = np.count_nonzero(close, axis=1) >= needed
        if not plain.all():
            count = start + int(np.argmin(plain))
            return count if abs(median(lines[count]) - tone) > MARGIN_STEP else 0
    return 0


def _background_around_thick_digit(gray: np.ndarray) -> float | None:
    """Return the background's tone if neither ink nor background is rare; else None."""
    small = reduce_to(gray, LIGHT_SIDE)
    light = small > (float(small.min()) + float(small.max())) / 2
    share = np.count_nonzero(light) / light.size
    if not COVER < share < 1 - COVER:
        return None
    difference = float(small[light].mean()) - float(small[~light].mean())
    on_border = _share_of_border(light)
    if share * (1 - share) * difference * difference < TWO_TONES * float(small.var()):  # Otsu's criterion
        return None
    if not 1 - BORDER_MIXED < on_border < BORDER_MIXED:
        return None
    return median(small[light if on_border > 0.5 else ~light])


def _share_of_border(mask: np.ndarray) -> float:
    """Return the share of the border where the mask is true; corners weigh most, the middle of a side 0."""
    sides = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    weights = [np.linspace(-1, 1, len(side)) ** 2 for side in sides]
    return float(np.average(np.concatenate(sides), weights=np.concatenate(weights)))


def _two_tone_contrast(gray: np.ndarray, tone: float) -> ContrastMap | None:
    """Return the contrast of a drawing on a background of exactly that tone, or None for any other image.

    In such a drawing strokes may have any width, which is not possible in a photograph.
    """
    below = np.float32(tone) - gray
    ink_pixels = np.count_nonzero(np.abs(below) > FLAT_TOLERANCE)
    if not 0 < ink_pixels <= (1 - COVER) * gray.size:
        return None
    ink_is_light = float(below.sum()) <= 0
    below = np.maximum(-below if ink_is_light else below, 0)
    ink_pixels = np.count_nonzero(below > FLAT_TOLERANCE)
    full = np.count_nonzero(below > max(FLAT_TOLERANCE, FULL_CONTRAST * float(below.max())))
    return ContrastMap(below, 0.0, ink_is_light, 0.0) if full > FULL_SHARE * ink_pixels else None


def _fit_illumination(gray: np.ndarray, tone: float) -> np.ndarray:
    """Fit a quadratic surface to the page's illumination: float32 [H, W], starting at the background's tone.

    Cauchy weights, updated in every round, keep ink and page edges from bending the surface. A gradient that
    is left in the image would darken its corners until they look like ink.
    """
    small = reduce_to(gray, LIGHT_SIDE)
    down, across = map(_powers, small.shape)
    terms = np.stack([np.outer(down[y], across[x]).ravel() for y, x in QUADRATIC], axis=1)
    values = small.ravel().astype(np.float64)
    residual = values - tone
    for _ in range(FIT_ROUNDS):
        spread = max(1.0, 1.4826 * median(np.abs(residual)))  # median absolute -> standard deviation
        weighted = terms.T / np.square(1 + np.square(residual / spread))
        # Least squares by the normal equations; an image of one line leaves some terms undetermined (RANK).
        factors = np.linalg.lstsq(weighted @ terms, weighted @ values, rcond=RANK)[0]
        residual = values - terms @ factors
    coefficients = np.zeros((3, 3), np.float32)
    coefficients[tuple(np.transpose(QUADRATIC))] = factors
    down, across = map(_powers, gray.shape)
    surface: np.ndarray = down.T @ coefficients @ across
    return surface


def _powers(count: int) -> np.ndarray:
    """Return 1, x and x * x for `count` values of x from -1 to 1: float32 [3, count]."""
    x = np.linspace(-1, 1, count, dtype=np.float32)
    return np.stack([np.ones_like(x), x, x * x])


def _ink_is_light(even: np.ndarray) -> bool:
    """Return whether the image's rare, extreme values are the light ones: the sign of its skewness.

    The middle of the image weighs most, since page edges and dark desks lie around it.
    """
    small = reduce_to(even, POLARITY_SIDE)
    height, width = small.shape
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)[None]
    small = small.astype(np.float64)
    weights = np.square((1 - y * y) * (1 - x * x))
    return float((weights * np.square(small) * small).sum()) > 0


def reduce_to(values: np.ndarray, side: int) -> np.ndarray:
    """Reduce by averaging so that the longer side has at most `side` pixels."""
    height, width = values.shape
    scale = side / max(height, width)
    if scale >= 1:
        return values
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BOX))


def _closing(values: np.ndarray, window: int) -> np.ndarray:
    """Fill every dark part that is narrower than the window: a grayscale closing with a square."""
    return _running(_running(values, window, np.maximum), window, np.minimum)


def _running(values: np.ndarray, window: int, extreme: np.ufunc) -> np.ndarray:
    """Return the running maximum or minimum over a centered square, in log2(window) passes per direction."""
    for _ in range(2):
        values = values.T
        width = min(window | 1, 2 * len(values) - 1)
        neutral = -np.inf if extreme is np.maximum else np.inf
        values = np.pad(values, ((width // 2, width // 2), (0, 0)), constant_values=neutral)
        span = 1
        while span < width:
            step = min(span, width - span)
            values = extreme(values[:-step], values[step:])
            span += step
    return values
