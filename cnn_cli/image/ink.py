"""Luminance -> ink: 0 where there is paper or anything that is not the digit, 1 in the middle of a stroke."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Page:
    """All that lies on the ink's side of the paper, be it ink or not."""

    levels: np.ndarray
    """Depth below the paper, float32 [H, W], 0 or more."""
    marks: np.ndarray
    """The same where it is deep enough for ink, elsewhere 0."""
    noise: float
    """Standard deviation of the paper in levels."""

    def ink(self, chosen: np.ndarray) -> np.ndarray:
        """Scale depth to ink by the depth of the chosen marks' strokes, and drop what is too pale.

        Args:
            chosen: bool [H, W], where the marks lie that are measured; paler ones are dropped everywhere.

        Returns:
            float32 [H, W], 0 = paper, 1 = full ink; all 0 where no mark is chosen.
        """
        marks = self.marks * chosen
        if not marks.any():
            return np.zeros_like(self.levels)
        full = _stroke_depth(marks)
        start = min(NOISE_DEVIATIONS * self.noise, MAX_START * full)
        ink = np.clip((self.levels - start) / (full - start), 0, 1)
        real = Image.fromarray((ink > REAL) & (marks > 0))
        around = np.asarray(real.convert("L").filter(ImageFilter.MaxFilter(3))) > 0
        return ink * around


def find_marks(grey: np.ndarray, window: int | None = None) -> Page:
    """Find everything in a picture that may be ink, dark on light or light on dark.

    Args:
        grey: luminance, float32 [H, W], 0..255.
        window: what is narrower than so many pixels is taken as a stroke (`paper.depth`).
    """
    levels, noise = depth(grey, window)
    if levels.max() < MIN_DEPTH:
        return Page(levels, np.zeros_like(levels), noise)
    deep = _stroke_depth(levels)
    bar = max(MIN_DEPTH, float(np.clip(MARK_DEVIATIONS * noise, MARK_RANGE[0] * deep, MARK_RANGE[1] * deep)))
    return Page(levels, np.where(levels >= bar, levels, 0), noise)


def find_ink(grey: np.ndarray) -> np.ndarray:
    """Find the digit in a picture of one digit, dark on light or light on dark.

    Args:
        grey: luminance, float32 [H, W], 0..255.

    Returns:
        float32 [H, W], 0 = not the digit, 1 = full ink; all 0 where there is no ink.
    """
    ink = np.zeros(grey.shape, np.float32)
    inner = without_margin(grey)
    page = find_marks(grey[inner])
    # Twice: a page's edge is far deeper than pencil, so it has to go before the strokes' depth is measured.
    found = page.ink(digit_mask(page.marks))
    ink[inner] = found * digit_mask(found)
    return ink


def _stroke_depth(marks: np.ndarray) -> float:
    """The depth in the middle of a stroke: the upper quartile of all over half as deep as the deepest."""
    found = marks[marks > 0]
    deepest = min(max(DEEPEST_PIXELS, int(marks.size * DEEPEST_SHARE)), found.size)
    peak = max(float(np.partition(found, -deepest)[-deepest]), float(found.max()) / 2)
    return float(np.percentile(found[found > peak / 2], 75))
