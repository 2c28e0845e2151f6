"""Luminance -> ink: 0 where there is paper or anything that is not the digit, 1 in the middle of a stroke."""

from dataclasses import dataclass, replace

import numpy as np

from cnn_cli.image.marks import Marks, digit_marks
from cnn_cli.image.order import quantile
from cnn_cli.image.paper import Depth, depth, without_margin

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
class Page(Depth):
    """All that lies on the ink's side of the paper, be it ink or not."""

    marks: np.ndarray
    """The levels where they are deep enough for ink, elsewhere 0: float32 [H, W]."""

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
        full = stroke_depth(marks)
        start = min(NOISE_DEVIATIONS * self.noise, MAX_START * full)
        ink = (self.levels - np.float32(start)) * np.float32(1 / (full - start))
        np.clip(ink, 0, 1, out=ink)
        ink *= _grown((ink > REAL) & (marks > 0))
        return ink


@dataclass(frozen=True)
class Found:
    """The digit in a picture, and how it was found."""

    ink: np.ndarray
    """float32 [H, W], 0 = not the digit, 1 = full ink; all 0 where there is no ink."""
    inner: tuple[slice, slice]
    """Rows and columns without a margin that was pasted around."""
    page: Page
    """What lies in there."""
    rounds: tuple[Marks, Marks]
    """Its marks: all of them, and those that are left when the others' depth no longer counts."""


def find_marks(grey: np.ndarray, window: int | None = None) -> Page:
    """Find everything in a picture that may be ink, dark on light or light on dark.

    Args:
        grey: luminance, float32 [H, W], 0..255.
        window: what is narrower than so many pixels is taken as a stroke (`paper.depth`).
    """
    found = depth(grey, window)
    levels = found.levels
    if levels.max() < MIN_DEPTH:
        return Page(**vars(found), marks=np.zeros_like(levels))
    deep = stroke_depth(levels)
    bar = max(
        MIN_DEPTH, float(np.clip(MARK_DEVIATIONS * found.noise, MARK_RANGE[0] * deep, MARK_RANGE[1] * deep))
    )
    return Page(**vars(found), marks=np.where(levels >= bar, levels, np.float32(0)))


def find_ink(grey: np.ndarray) -> np.ndarray:
    """Find the digit in a picture of one digit: the ink of `locate`."""
    return locate(grey).ink


def locate(grey: np.ndarray) -> Found:
    """Find the digit in a picture of one digit, dark on light or light on dark.

    Args:
        grey: luminance, float32 [H, W], 0..255.
    """
    inner = without_margin(grey)
    page = find_marks(grey[inner])
    # Twice: a page's edge is far deeper than pencil, so it has to go before the strokes' depth is measured.
    page, first = _without_rules(page, digit_marks(page.marks))
    found = page.ink(first.mask)
    second = digit_marks(found)
    ink = np.zeros(grey.shape, np.float32)
    np.multiply(found, second.mask, out=ink[inner])
    return Found(ink, inner, page, (first, second))


def _without_rules(page: Page, marks: Marks) -> tuple[Page, Marks]:
    """The same without its paler marks if that frees more ink: lines of squared paper join digit and edge."""
    if not marks.hides_more:
        return page, marks
    bar = REAL * stroke_depth(page.marks)
    deep = replace(page, marks=np.where(page.marks >= bar, page.marks, np.float32(0)))
    freed = digit_marks(deep.marks)
    return (deep, freed) if freed.ink > marks.ink else (page, marks)


def stroke_depth(marks: np.ndarray) -> float:
    """The depth in the middle of a stroke: the upper quartile of all over half as deep as the deepest."""
    half = float(marks.max()) / 2
    strokes = marks[marks > half / 2]  # paler ones count in neither
    deep = strokes[strokes > half]
    rank = max(DEEPEST_PIXELS, int(marks.size * DEEPEST_SHARE))
    peak = half if deep.size < rank else float(np.partition(deep, -rank)[-rank])
    return quantile(strokes[strokes > peak / 2], 0.75)


def _grown(mask: np.ndarray) -> np.ndarray:
    """True there and in the eight neighbours."""
    tall = mask.copy()
    tall[1:] |= mask[:-1]
    tall[:-1] |= mask[1:]
    grown = tall.copy()
    grown[:, 1:] |= tall[:, :-1]
    grown[:, :-1] |= tall[:, 1:]
    return grown
