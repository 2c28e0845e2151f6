"""Luminance -> ink: 0 where there is background or anything that is not the digit, 1 in the middle of a stroke."""

from dataclasses import dataclass, replace

import numpy as np

from cnn_cli.image.background import Contrast, contrast, without_margin
from cnn_cli.image.components import Components, digit_components
from cnn_cli.image.quantiles import quantile

# Ink lies at least this many levels from the background: the palest drawing seen had 8, rounding makes 1 or 2.
MIN_CONTRAST = 4.0

# What is deeper than this many standard deviations of the background's noise may be ink: at five, noise makes no
# components. The bar stays in this range of shares of the deepest components: pencil beside a dark edge lies above the
# first, JPEG's ringing below it; ink on very noisy background lies above the second.
COMPONENT_DEVIATIONS = 5.0
COMPONENT_RANGE = 0.12, 0.55

# Ink begins this many standard deviations of the background's noise away from the background, but at most at this share
# of a stroke's contrast, so that pencil on rough background is not lost.
NOISE_DEVIATIONS = 3.0
MAX_START = 0.3

# A component is real where it has this share of a stroke's contrast; the paler pixels around it are its soft edge.
# Paler components are the lines of ruled background, smears, shadows and JPEG's ringing.
REAL = 0.35

# The deepest pixels, which tell the strokes' contrast: this share of the image, and so many at least.
DEEPEST_SHARE, DEEPEST_PIXELS = 1 / 2000, 4


@dataclass(frozen=True)
class Page(Contrast):
    """All that lies on the ink's side of the background, be it ink or not."""

    components: np.ndarray
    """The levels where they are deep enough for ink, elsewhere 0: float32 [H, W]."""

    def ink(self, chosen: np.ndarray) -> np.ndarray:
        """Scale contrast to ink by the contrast of the chosen components' strokes, and drop what is too pale.

        Args:
            chosen: bool [H, W], where the components lie that are measured; paler ones are dropped everywhere.

        Returns:
            float32 [H, W], 0 = background, 1 = full ink; all 0 where no component is chosen.
        """
        components = self.components * chosen
        if not components.any():
            return np.zeros_like(self.levels)
        full = stroke_contrast(components)
        start = min(NOISE_DEVIATIONS * self.noise, MAX_START * full)
        ink = (self.levels - np.float32(start)) * np.float32(1 / (full - start))
        np.clip(ink, 0, 1, out=ink)
        ink *= _grown((ink > REAL) & (components > 0))
        return ink


@dataclass(frozen=True)
class Found:
    """The digit in an image, and how it was found."""

    ink: np.ndarray
    """float32 [H, W], 0 = not the digit, 1 = full ink; all 0 where there is no ink."""
    inner: tuple[slice, slice]
    """Rows and columns without a margin that was pasted around."""
    page: Page
    """What lies in there."""
    rounds: tuple[Components, Components]
    """Its components: all of them, and those that are left when the others' contrast no longer counts."""


def find_component_pixels(gray: np.ndarray, window: int | None = None) -> Page:
    """Find everything in an image that may be ink, dark on light or light on dark.

    Args:
        gray: luminance, float32 [H, W], 0..255.
        window: what is narrower than so many pixels is taken as a stroke (`background.contrast`).
    """
    found = contrast(gray, window)
    levels = found.levels
    if levels.max() < MIN_CONTRAST:
        return Page(**vars(found), components=np.zeros_like(levels))
    deep = stroke_contrast(levels)
    bar = max(
        MIN_CONTRAST,
        float(
            np.clip(COMPONENT_DEVIATIONS * found.noise, COMPONENT_RANGE[0] * deep, COMPONENT_RANGE[1] * deep)
        ),
    )
    return Page(**vars(found), components=np.where(levels >= bar, levels, np.float32(0)))


def find_ink(gray: np.ndarray) -> np.ndarray:
    """Find the digit in an image of one digit: the ink of `locate`."""
    return locate(gray).ink


def locate(gray: np.ndarray) -> Found:
    """Find the digit in an image of one digit, dark on light or light on dark.

    Args:
        gray: luminance, float32 [H, W], 0..255.
    """
    inner = without_margin(gray)
    page = find_component_pixels(gray[inner])
    # Twice: a page's edge is far deeper than pencil, so it has to go before the strokes' contrast is measured.
    page, first = _without_rules(page, digit_components(page.components))
    found = page.ink(first.mask)
    second = digit_components(found)
    ink = np.zeros(gray.shape, np.float32)
    np.multiply(found, second.mask, out=ink[inner])
    return Found(ink, inner, page, (first, second))


def _without_rules(page: Page, components: Components) -> tuple[Page, Components]:
    """The same without its paler components if that frees more ink: lines of squared background join digit and edge."""
    if not components.hides_more:
        return page, components
    bar = REAL * stroke_contrast(page.components)
    deep = replace(page, components=np.where(page.components >= bar, page.components, np.float32(0)))
    freed = digit_components(deep.components)
    return (deep, freed) if freed.ink > components.ink else (page, components)


def stroke_contrast(components: np.ndarray) -> float:
    """The contrast in the middle of a stroke: the upper quartile of all over half as deep as the deepest."""
    half = float(components.max()) / 2
    strokes = components[components > half / 2]  # paler ones count in neither
    deep = strokes[strokes > half]
    rank = max(DEEPEST_PIXELS, int(components.size * DEEPEST_SHARE))
    peak = half if deep.size < rank else float(np.partition(deep, -rank)[-rank])
    return quantile(strokes[strokes > peak / 2], 0.75)


def _grown(mask: np.ndarray) -> np.ndarray:
    """True there and in the eight neighbors."""
    tall = mask.copy()
    tall[1:] |= mask[:-1]
    tall[:-1] |= mask[1:]
    grown = tall.copy()
    grown[:, 1:] |= tall[:, :-1]
    grown[:, :-1] |= tall[:, 1:]
    return grown
