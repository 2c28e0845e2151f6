"""Luminance -> contrast: how far each pixel lies from the background around it, on the ink's side."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnn_cli.image.quantiles import median, quantile, sample

# A drawing program's background has one tone; its components differ from it by more than this, JPEG's rounding by less.
FLAT_TOLERANCE = 2.0

# Of a two-toned drawing's components at least this share is nearly (FULL_CONTRAST) as deep as the deepest. MNIST
# has about a half. A gray page on a white ground, with a little ink on it, has far less.
FULL_SHARE = 0.3
FULL_CONTRAST = 0.7

# Where neither ink nor background is rare (each has at least this part of the image) a thick digit fills it, and
# most of the border is background, above all near the corners. A border of one tone all around (over BORDER_MIXED
# of it) tells nothing: it is a frame, or the desk around a page. And there must be two tones: TWO_TONES of
# the variance lies between them, where an even slope of light has three quarters.
COVER = 0.2
TWO_TONES = 0.8
BORDER_MIXED = 0.97

# A margin of one tone ends where a line's median leaves it by this many levels, more than JPEG's ringing;
# up to there this share of each line has the tone.
MARGIN_STEP = 8.0
MARGIN_SHARE = 0.98

# Lines that are looked at together: most images have no margin, which their first lines show.
MARGIN_BLOCK = 32

# Side of the reduced images on which light (smooth) and polarity (needs strokes) are judged.
LIGHT_SIDE = 32
POLARITY_SIDE = 64

# The terms of a quadratic surface: the powers of y and of x.
QUADRATIC = (0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0)

# Rounds of the robust fit; the surface no longer moves after five or six.
FIT_ROUNDS = 8

# Singular values below this share of the largest one are zero. The least of a whole image, evenly
# weighed, is 0.06 of it.
RANK = 1e-10

# What is narrower than this share of the image is taken as a stroke, what is wider as background or shadow.
# People's strokes reach 0.17 of the digit's height, and two that meet are wider.
STROKE_WINDOW = 0.3


@dataclass(frozen=True)
class Contrast:
    """How far each pixel lies from the background around it."""

    levels: np.ndarray
    """Levels between background and pixel on the ink's side, float32 [H, W], 0 or more."""
    noise: float
    """The background's standard deviation in levels; 0 for a two-toned drawing."""
    ink_is_light: bool
    """Whether ink is lighter than its background."""
    unevenness: float
    """Levels between the brightest and the darkest light on the page; 0 for a two-toned drawing."""


def contrast(gray: np.ndarray, window: int | None = None) -> Contrast:
    """Measure ink against the background, whichever of the two is light.

    Args:
        gray: luminance, float32 [H, W], 0..255.
        window: what is narrower than so many pixels is taken as a stroke; without it, `STROKE_WINDOW` of the
            longer side, which suits an image of one digit.
    """
    thick = _background_around_a_thick_digit(gray)
    tone = median(sample(gray)) if thick is None else thick
    drawing = _two_toned(gray, tone)
    if drawing is not None:
        return drawing
    light = _light(gray, tone)
    even = gray - light
    ink_is_light = _ink_is_light(even) if thick is None else float(even.sum()) > 0
    if ink_is_light:
        even = -even
    window = window or max(3, round(max(even.shape) * STROKE_WINDOW))
    below = _closing(even, window) - even
    some = sample(below)
    middle, low = median(some), quantile(some, 0.159)  # most are background; 15.9 % lie one deviation lower
    levels = np.maximum(below - np.float32(middle), 0)
    return Contrast(levels, middle - low, ink_is_light, float(np.ptp(light)))


def without_margin(gray: np.ndarray) -> tuple[slice, slice]:
    """What is left of an image that was pasted on a ground of another tone: its rows and columns.

    Only margins on two opposite sides go, and only where the tone changes behind them: the background of a
    drawing goes on behind its margin, and a stroke along an edge has no twin on the other side.
    """
    rows = _inner(gray)
    return rows, _inner(gray[rows].T)


def _inner(lines: np.ndarray) -> slice:
    first = _margin(lines)
    last = _margin(lines[::-1]) if first else 0
    if not last or abs(median(lines[0]) - median(lines[-1])) > MARGIN_STEP:
        return slice(None)
    return slice(first, len(lines) - last)


def _margin(lines: np.ndarray) -> int:
    """How many lines, from the first on, have one tone that then gives way to another."""
    tone = median(lines[0])
    needed = MARGIN_SHARE * lines.shape[1]
    for start in range(0, len(lines), MARGIN_BLOCK):
        close = np.abs(lines[start : start + MARGIN_BLOCK] - np.float32(tone)) <= MARGIN_STEP
        plain = np.count_nonzero(close, axis=1) >= needed
        if not plain.all():
            count = start + int(np.argmin(plain))
            return count if abs(median(lines[count]) - tone) > MARGIN_STEP else 0
    return 0


def _background_around_a_thick_digit(gray: np.ndarray) -> float | None:
    """The background's tone where ink covers so much that neither it nor background is rare; else None."""
    small = reduced(gray, LIGHT_SIDE)
    light = small > (float(small.min()) + float(small.max())) / 2
    share = np.count_nonzero(light) / light.size
    if not COVER < share < 1 - COVER:
        return None
    apart = float(small[light].mean()) - float(small[~light].mean())
    on_border = _on_border(light)
    if share * (1 - share) * apart * apart < TWO_TONES * float(small.var()):  # Otsu's criterion
        return None
    if not 1 - BORDER_MIXED < on_border < BORDER_MIXED:
        return None
    return median(small[light if on_border > 0.5 else ~light])


def _on_border(mask: np.ndarray) -> float:
    """Share of the border where the mask is true; a corner counts most, the middle of a side nothing."""
    sides = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    weights = [np.linspace(-1, 1, len(side)) ** 2 for side in sides]
    return float(np.average(np.concatenate(sides), weights=np.concatenate(weights)))


def _two_toned(gray: np.ndarray, tone: float) -> Contrast | None:
    """The contrast of a drawing on background of exactly that tone, or None for any other image.

    There the strokes may have any width, which no photograph would allow.
    """
    below = np.float32(tone) - gray
    components = np.count_nonzero(np.abs(below) > FLAT_TOLERANCE)
    if not 0 < components <= (1 - COVER) * gray.size:
        return None
    ink_is_light = float(below.sum()) <= 0
    below = np.maximum(-below if ink_is_light else below, 0)
    found = np.count_nonzero(below > FLAT_TOLERANCE)
    full = np.count_nonzero(below > max(FLAT_TOLERANCE, FULL_CONTRAST * float(below.max())))
    return Contrast(below, 0.0, ink_is_light, 0.0) if full > FULL_SHARE * found else None


def _light(gray: np.ndarray, tone: float) -> np.ndarray:
    """The light on the page as a quadratic surface, float32 [H, W], sought from the background's tone on.

    Cauchy weights, found anew in each round, keep ink and page edges from bending it. A slope left in the
    image would darken its corners into ink.
    """
    small = reduced(gray, LIGHT_SIDE)
    down, across = map(_powers, small.shape)
    terms = np.stack([np.outer(down[y], across[x]).ravel() for y, x in QUADRATIC], axis=1)
    values = small.ravel().astype(np.float64)
    rest = values - tone
    for _ in range(FIT_ROUNDS):
        spread = max(1.0, 1.4826 * median(np.abs(rest)))  # the median deviation, as a standard one
        weighed = terms.T / np.square(1 + np.square(rest / spread))
        # Least squares by the normal equations; an image of one line leaves some terms open (RANK).
        factors = np.linalg.lstsq(weighed @ terms, weighed @ values, rcond=RANK)[0]
        rest = values - terms @ factors
    of_powers = np.zeros((3, 3), np.float32)
    of_powers[tuple(np.transpose(QUADRATIC))] = factors
    down, across = map(_powers, gray.shape)
    surface: np.ndarray = down.T @ of_powers @ across
    return surface


def _powers(count: int) -> np.ndarray:
    """1, x and x * x for `count` places from -1 to 1: float32 [3, count]."""
    x = np.linspace(-1, 1, count, dtype=np.float32)
    return np.stack([np.ones_like(x), x, x * x])


def _ink_is_light(even: np.ndarray) -> bool:
    """Whether the image's rare, far values are the light ones: the sign of its skewness about the background.

    The middle of the image counts most, since edges of pages and dark desks lie around it.
    """
    small = reduced(even, POLARITY_SIDE)
    height, width = small.shape
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)[None]
    small = small.astype(np.float64)
    middle = np.square((1 - y * y) * (1 - x * x))
    return float((middle * np.square(small) * small).sum()) > 0


def reduced(values: np.ndarray, side: int) -> np.ndarray:
    """Average down so that the longer side has at most `side` pixels."""
    height, width = values.shape
    scale = side / max(height, width)
    if scale >= 1:
        return values
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BOX))


def _closing(values: np.ndarray, window: int) -> np.ndarray:
    """Fill every dark part that is narrower than the window (gray closing with a square)."""
    return _running(_running(values, window, np.maximum), window, np.minimum)


def _running(values: np.ndarray, window: int, extreme: np.ufunc) -> np.ndarray:
    """Running maximum or minimum over a centered square, by doubling: log2(window) passes a direction."""
    for _ in range(2):
        values = values.T
        width = min(window | 1, 2 * len(values) - 1)
        nothing = -np.inf if extreme is np.maximum else np.inf
        values = np.pad(values, ((width // 2, width // 2), (0, 0)), constant_values=nothing)
        span = 1
        while span < width:
            step = min(span, width - span)
            values = extreme(values[:-step], values[step:])
            span += step
    return values
