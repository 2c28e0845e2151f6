"""Luminance -> ink: 0 where there is paper or anything that is not the digit, 1 in the middle of a stroke."""

import numpy as np
from PIL import Image, ImageFilter

from cnn_cli.image.marks import digit_mask
from cnn_cli.image.paper import depth, without_margin

# Ink lies at least this many levels from the paper: the palest drawing seen had 8, rounding makes 1 or 2.
MIN_DEPTH = 4.0

# What is deeper than this many standard deviations of the paper's noise may be ink: at five, noise makes no
# marks. The bar stays in this range of shares of the deepest marks: pencil beside a dark edge lies above the
# first, JPEG's ringing below it; ink on very noisy paper lies above the second.
MARK_DEVIATIONS = 5.0
MARK_RANGE = 0.12, 0.55

# Ink begins this many standard deviations of the paper's noise away from the paper, but at most at this share
# of a stroke's depth, so that pencil on rough paper is not lost.
NOISE_DEVIATIONS = 3.0
MAX_START = 0.3

# A mark is real where it has this share of a stroke's depth; the paler pixels around it are its soft edge.
# Paler marks are the lines of ruled paper, smears, shadows and JPEG's ringing.
REAL = 0.35

# The deepest pixels, which tell the strokes' depth: this share of the picture, and so many at least.
DEEPEST_SHARE, DEEPEST_PIXELS = 1 / 2000, 4


def find_ink(grey: np.ndarray) -> np.ndarray:
    """Find the digit in a picture of one digit, dark on light or light on dark.

    Args:
        grey: luminance, float32 [H, W], 0..255.

    Returns:
        float32 [H, W], 0 = not the digit, 1 = full ink; all 0 where there is no ink.
    """
    ink = np.zeros(grey.shape, np.float32)
    inner = without_margin(grey)
    levels, noise = depth(grey[inner])
    if levels.max() < MIN_DEPTH:
        return ink
    # Twice: a page's edge is far deeper than pencil, so it has to go before the strokes' depth is measured.
    deep = _stroke_depth(levels)
    bar = max(MIN_DEPTH, float(np.clip(MARK_DEVIATIONS * noise, MARK_RANGE[0] * deep, MARK_RANGE[1] * deep)))
    marks = np.where(levels >= bar, levels, 0)
    found = _stretched(levels, marks * digit_mask(marks), noise)
    ink[inner] = found * digit_mask(found)
    return ink


def _stretched(levels: np.ndarray, marks: np.ndarray, noise: float) -> np.ndarray:
    """Scale depth in levels to ink 0..1 by the depth of the strokes in `marks`, and drop what is too pale."""
    full = _stroke_depth(marks)
    start = min(NOISE_DEVIATIONS * noise, MAX_START * full)
    ink = np.clip((levels - start) / (full - start), 0, 1)
    real = Image.fromarray((ink > REAL) & (marks > 0))
    around = np.asarray(real.convert("L").filter(ImageFilter.MaxFilter(3))) > 0
    return ink * around


def _stroke_depth(marks: np.ndarray) -> float:
    """The depth in the middle of a stroke: the upper quartile of all over half as deep as the deepest."""
    found = marks[marks > 0]
    deepest = min(max(DEEPEST_PIXELS, int(marks.size * DEEPEST_SHARE)), found.size)
    peak = max(float(np.partition(found, -deepest)[-deepest]), float(found.max()) / 2)
    return float(np.percentile(found[found > peak / 2], 75))
