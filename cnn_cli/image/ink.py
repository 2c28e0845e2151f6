"""Luminance -> ink: 0 = background and everything that is not the digit, 1 = the middle of a stroke."""

from dataclasses import dataclass, replace

import numpy as np

from cnn_cli.image.background import ContrastMap, measure_contrast, without_margin
from cnn_cli.image.components import Components, find_digit_components
from cnn_cli.image.quantiles import quantile

# Ink differs from the background by at least this many gray levels: the palest drawing found had 8, rounding
# gives 1 or 2.
MIN_CONTRAST = 4.0

# Contrast above this many standard deviations of the background's noise may be ink: at five, noise forms no
# components. The threshold stays within this range of shares of the strongest contrast: pencil beside a dark
# edge lies above the first, JPEG's ringing below it; ink on a very noisy background lies above the second.
THRESHOLD_DEVIATIONS = 5.0
THRESHOLD_RANGE = 0.12, 0.55

# Ink begins at this many standard deviations of the background's noise, but at most at this share of a
# stroke's contrast, so that pencil on a rough background is not lost.
NOISE_DEVIATIONS = 3.0
MAX_START = 0.3

# Ink of at least this share of a stroke's contrast is certain; the paler pixels next to it are its soft edge.
# What has no such pixels is a ruled line, a smear, a shadow or JPEG's ringing.
CERTAIN = 0.35

# The strongest pixels, from which the contrast of strokes is measured: a share of the image, and a minimum
# number.
STRONGEST_SHARE, STRONGEST_PIXELS = 1 / 2000, 4


@dataclass(frozen=True)
class ThresholdedContrast(ContrastMap):
    """The contrast of an image, and where it is strong enough for ink."""

    thresholded: np.ndarray
    """The contrast where it reaches the threshold, elsewhere 0: float32 [H, W]."""

    def to_ink(self, mask: np.ndarray) -> np.ndarray:
        """Scale contrast to ink by the strokes' contrast inside the mask, and set to 0 what is too pale.

        Args:
            mask: bool [H, W], true on the components from which the strokes' contrast is measured.

        Returns:
            float32 [H, W], 0 = background, 1 = full ink; all 0 if the mask holds no component.
        """
        ink = self.to_all_ink(mask)
        ink *= _dilate_by_one((ink > CERTAIN) & (self.thresholded * mask > 0))
        return ink

    def to_all_ink(self, mask: np.ndarray) -> np.ndarray:
        """Scale contrast to ink likewise, and keep everything: ruled lines, shadows, what is pale.

        Args:
            mask: bool [H, W], true on the components from which the strokes' contrast is measured.

        Returns:
            float32 [H, W], 0 = background, 1 = full ink; all 0 if the mask holds no component.
        """
        strokes = self.thresholded * mask
        if not strokes.any():
            return np.zeros_like(self.contrast)
        full = stroke_contrast(strokes)
        start = min(NOISE_DEVIATIONS * self.noise, MAX_START * full)
        ink = (self.contrast - np.float32(start)) * np.float32(1 / (full - start))
        return np.clip(ink, 0, 1, out=ink)


@dataclass(frozen=True)
class DigitInk:
    """The ink of the digit in an image, and the intermediate results that led to it."""

    ink: np.ndarray
    """float32 [H, W], 0 = not the digit, 1 = full ink; all 0 if there is no ink."""
    inner: tuple[slice, slice]
    """Rows and columns of the image without an added margin."""
    contrast: ThresholdedContrast
    """The contrast of this inner part."""
    components: tuple[Components, Components]
    """Its components in the first pass, and in the second, which measures contrast without ignored ones."""


def threshold_contrast(
    gray: np.ndarray, window: int | None = None, *, light_ink: bool | None = None
) -> ThresholdedContrast:
    """Measure contrast, and where it is strong enough for ink.

    Args:
        gray: luminance, float32 [H, W], 0..255.
        window: what is narrower than this, in pixels, counts as a stroke (`background.measure_contrast`).
        light_ink: whether ink is lighter than its background; None if the image decides.
    """
    contrast_map = measure_contrast(gray, window, light_ink=light_ink)
    contrast = contrast_map.contrast
    if contrast.max() < MIN_CONTRAST:
        return ThresholdedContrast(**vars(contrast_map), thresholded=np.zeros_like(contrast))
    strongest = stroke_contrast(contrast)
    low, high = (share * strongest for share in THRESHOLD_RANGE)
    threshold = max(MIN_CONTRAST, float(np.clip(THRESHOLD_DEVIATIONS * contrast_map.noise, low, high)))
    thresholded = np.where(contrast >= threshold, contrast, np.float32(0))
    return ThresholdedContrast(**vars(contrast_map), thresholded=thresholded)


def find_digit(gray: np.ndarray, cut_margin: bool = True) -> DigitInk:
    """Find the digit in an image of one digit, dark on light or light on dark.

    Args:
        gray: luminance, float32 [H, W], 0..255.
        cut_margin: whether a margin in another tone is cut off first.
    """
    inner = without_margin(gray) if cut_margin else (slice(None), slice(None))
    contrast = threshold_contrast(gray[inner])
    # Two passes: a page's edge has far more contrast than pencil, and has to be removed before the strokes'
    # contrast is measured.
    contrast, first = _without_pale_lines(contrast, find_digit_components(contrast.thresholded))
    inner_ink = contrast.to_ink(first.mask)
    second = find_digit_components(inner_ink)
    ink = np.zeros(gray.shape, np.float32)
    np.multiply(inner_ink, second.mask, out=ink[inner])
    return DigitInk(ink, inner, contrast, (first, second))


def _without_pale_lines(
    contrast: ThresholdedContrast, components: Components
) -> tuple[ThresholdedContrast, Components]:
    """Raise the threshold if that separates more ink from page edges: squared paper connects them."""
    if not components.may_hide_digit:
        return contrast, components
    threshold = CERTAIN * stroke_contrast(contrast.thresholded)
    thresholded = np.where(contrast.thresholded >= threshold, contrast.thresholded, np.float32(0))
    separated = find_digit_components(thresholded)
    if separated.ink > components.ink:
        return replace(contrast, thresholded=thresholded), separated
    return contrast, components


def stroke_contrast(contrast: np.ndarray) -> float:
    """Return the contrast in the middle of a stroke: the upper quartile of all above half the strongest."""
    half = float(contrast.max()) / 2
    strokes = contrast[contrast > half / 2]  # paler values are not needed below
    strong = strokes[strokes > half]
    rank = max(STRONGEST_PIXELS, int(contrast.size * STRONGEST_SHARE))
    peak = half if strong.size < rank else float(np.partition(strong, -rank)[-rank])
    return quantile(strokes[strokes > peak / 2], 0.75)


def _dilate_by_one(mask: np.ndarray) -> np.ndarray:
    """Set the eight neighbors of every true pixel to true as well."""
    tall = mask.copy()
    tall[1:] |= mask[:-1]
    tall[:-1] |= mask[1:]
    dilated = tall.copy()
    dilated[:, 1:] |= tall[:, :-1]
    dilated[:, :-1] |= tall[:, 1:]
    return dilated
