"""Luminance -> depth: how far each pixel lies from the paper around it, on the ink's side."""

import numpy as np
from PIL import Image

# A drawing program's paper has one tone; its marks differ from it by more than this, JPEG's rounding by less.
FLAT_TOLERANCE = 2.0

# Of a two-toned drawing's marks at least this share is nearly (FULL_DEPTH) as deep as the deepest. MNIST
# has about a half. A grey page on a white ground, with a little ink on it, has far less.
FULL_SHARE = 0.3
FULL_DEPTH = 0.7

# A margin of one tone ends where a line's median leaves it by this many levels, more than JPEG's ringing;
# up to there this share of each line has the tone.
MARGIN_STEP = 8.0
MARGIN_SHARE = 0.98

# Side of the reduced pictures on which light (smooth) and polarity (needs strokes) are judged.
LIGHT_SIDE = 32
POLARITY_SIDE = 64

# Rounds of the robust fit; the surface no longer moves after five or six.
FIT_ROUNDS = 8

# What is narrower than this share of the picture is taken as a stroke, what is wider as paper or shadow.
# People's strokes reach 0.17 of the digit's height, and two that meet are wider.
STROKE_WINDOW = 0.3


def depth(grey: np.ndarray, window: int | None = None) -> tuple[np.ndarray, float]:
    """Measure ink against the paper, whichever of the two is light.

    Args:
        grey: luminance, float32 [H, W], 0..255.
        window: what is narrower than so many pixels is taken as a stroke; without it, `STROKE_WINDOW` of the
            longer side, which suits a picture of one digit.

    Returns:
        Levels between paper and pixel, float32 [H, W], 0 or more, and the paper's noise in levels (its
        standard deviation; 0 for a two-toned drawing).
    """
    drawing = _two_toned(grey)
    if drawing is not None:
        return drawing, 0.0
    even = grey - _light(grey)
    if _ink_is_light(even):
        even = -even
    window = window or max(3, round(max(even.shape) * STROKE_WINDOW))
    below = _closing(even, window) - even
    middle, low = np.percentile(below, (50, 15.9))  # most pixels are paper; 15.9 % lie one deviation lower
    return np.clip(below - middle, 0, None).astype(np.float32), float(middle - low)


def without_margin(grey: np.ndarray) -> tuple[slice, slice]:
    """What is left of a picture that was pasted on a ground of another tone: its rows and columns.

    Only margins on two opposite sides go, and only where the tone changes behind them: the paper of a
    drawing goes on behind its margin, and a stroke along an edge has no twin on the other side.
    """
    rows = _inner(grey)
    return rows, _inner(grey[rows].T)


def _inner(lines: np.ndarray) -> slice:
    first, last = _margin(lines), _margin(lines[::-1])
    same_tone = abs(float(np.median(lines[0])) - float(np.median(lines[-1]))) <= MARGIN_STEP
    return slice(first, len(lines) - last) if first and last and same_tone else slice(None)


def _margin(lines: np.ndarray) -> int:
    """How many lines, from the first on, have one tone that then gives way to another."""
    tone = float(np.median(lines[0]))
    plain = (np.abs(lines - tone) <= MARGIN_STEP).mean(axis=1) >= MARGIN_SHARE
    count = int(np.argmin(plain))
    return count if abs(float(np.median(lines[count])) - tone) > MARGIN_STEP else 0


def _two_toned(grey: np.ndarray) -> np.ndarray | None:
    """The depth of a drawing on paper of exactly one tone, or None for any other picture.

    There the strokes may have any width, which no photograph would allow.
    """
    below = float(np.median(grey)) - grey
    marks = np.abs(below) > FLAT_TOLERANCE
    if not marks.any() or marks.mean() > 0.5:
        return None
    below = np.clip(below if below.sum() > 0 else -below, 0, None)
    full = below[below > FLAT_TOLERANCE] > FULL_DEPTH * below.max()
    return below if full.mean() > FULL_SHARE else None


def _light(grey: np.ndarray) -> np.ndarray:
    """The light on the page as a quadratic surface, float32 [H, W].

    Cauchy weights, found anew in each round, keep ink and page edges from bending it. A slope left in the
    picture would darken its corners into ink.
    """
    small = reduced(grey, LIGHT_SIDE)
    terms = np.stack([np.broadcast_to(t, small.shape).ravel() for t in _quadratic(*small.shape)], axis=1)
    values = small.ravel().astype(np.float64)
    rest = values - np.median(values)
    for _ in range(FIT_ROUNDS):
        spread = max(1.0, 1.4826 * float(np.median(np.abs(rest))))  # the median deviation, as a standard one
        weights = 1 / (1 + (rest / spread) ** 2)
        factors = np.linalg.lstsq(terms * weights[:, None], values * weights, rcond=None)[0]
        rest = values - terms @ factors
    surface = np.zeros(grey.shape, np.float32)
    for factor, term in zip(factors, _quadratic(*grey.shape), strict=True):
        surface += np.float32(factor) * term
    return surface


def _quadratic(height: int, width: int) -> tuple[np.ndarray, ...]:
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    return np.ones((1, 1), np.float32), x, y, x * x, x * y, y * y


def _ink_is_light(even: np.ndarray) -> bool:
    """Whether the picture's rare, far values are the light ones: the sign of its skewness about the paper.

    The middle of the picture counts most, since edges of pages and dark desks lie around it.
    """
    small = reduced(even, POLARITY_SIDE)
    height, width = small.shape
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)[None]
    return float((((1 - y * y) * (1 - x * x)) ** 2 * small.astype(np.float64) ** 3).sum()) > 0


def reduced(values: np.ndarray, side: int) -> np.ndarray:
    """Average down so that the longer side has at most `side` pixels."""
    height, width = values.shape
    scale = side / max(height, width)
    if scale >= 1:
        return values
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BOX))


def _closing(values: np.ndarray, window: int) -> np.ndarray:
    """Fill every dark part that is narrower than the window (grey closing with a square)."""
    return _running(_running(values, window, np.maximum), window, np.minimum)


def _running(values: np.ndarray, window: int, extreme: np.ufunc) -> np.ndarray:
    """Running maximum or minimum over a centred square, by doubling: log2(window) passes a direction."""
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
