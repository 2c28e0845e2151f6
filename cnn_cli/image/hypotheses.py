"""Hypotheses about an image: where the digit is, and which tone its ink has. The network chooses.

No rule knows whether a small image is a tight crop or a digit with a margin, or whether the rare tone is ink.
So the image code proposes, and the network's calibrated confidence decides. That needs a network that has
learned to be unsure of what is no digit (`data/outliers`, `data/proposed.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from cnn_cli.image.ink import DigitInk, find_digit
from cnn_cli.image.normalize import NormalizedDigit, normalize_digit, place
from cnn_cli.image.quantiles import quantile, sample

SMALL = 64
"""An image of at most this many pixels a side may be a network input as it is, like an image of MNIST."""

# The tones of background and full ink in a frame are these quantiles of its pixels: noise lies outside them,
# a digit's strokes cover more.
BACKGROUND, FULL = 0.05, 0.98

# In a frame, ink of less than this share of the contrast is background: JPEG's ringing, the grain of paper.
FLOOR = 0.12


class Kind(StrEnum):
    """What a hypothesis takes for the digit."""

    FOUND = "found"
    """The ink that stands out from its background."""
    WITH_MARGIN = "found_with_margin"
    """The same, where a margin of another tone is not cut off first."""
    MAIN = "main_component"
    """The largest connected component of it: a period beside a digit is left out."""
    WHOLE_DARK = "whole_dark"
    """The whole image, as a dark digit on a light background."""
    WHOLE_LIGHT = "whole_light"
    """The whole image, as a light digit on a dark background."""
    AS_IS = "as_is"
    """A small image as it is, light on dark like an image of MNIST."""
    INVERTED = "inverted"
    """The same, dark on light."""
    TURNED_90 = "turned_90"
    """The ink that stands out, turned by 90 degrees clockwise."""
    TURNED_180 = "turned_180"
    """The same, turned by 180 degrees."""
    TURNED_270 = "turned_270"
    """The same, turned by 90 degrees counterclockwise."""


WORDS = {
    Kind.FOUND: "the ink that stands out",
    Kind.WITH_MARGIN: "the ink that stands out, without cutting off a margin",
    Kind.MAIN: "the largest connected component alone",
    Kind.WHOLE_DARK: "the whole image, dark on light",
    Kind.WHOLE_LIGHT: "the whole image, light on dark",
    Kind.AS_IS: "the small image as it is",
    Kind.INVERTED: "the small image, inverted",
    Kind.TURNED_90: "turned by 90 degrees clockwise",
    Kind.TURNED_180: "turned by 180 degrees",
    Kind.TURNED_270: "turned by 90 degrees counterclockwise",
}
"""Each kind in words."""

UNCHANGED = (Kind.AS_IS, Kind.INVERTED)
"""Kinds that put the image into the network's input as a whole, not normalized as a digit."""

TURNS = {Kind.TURNED_270: 1, Kind.TURNED_180: 2, Kind.TURNED_90: 3}
"""Quarter turns counterclockwise that make a turned digit upright, as `np.rot90` counts them."""


@dataclass(frozen=True)
class Hypothesis:
    """One way to read an image of a digit."""

    kind: Kind
    ink: np.ndarray
    """float32 [H, W] on the image's pixels, turned with the digit; 0 = background, 1 = full ink."""
    digit: NormalizedDigit
    """The network's input."""
    ink_is_light: bool
    """Whether ink is lighter than the background."""
    found: DigitInk | None = None
    """How the ink was found; None for a whole image."""
    share: float = 1.0
    """Share of that ink which the digit has, above 0 to 1: less than 1 where something else is left out."""

    @property
    def reaches_border(self) -> bool:
        """Whether something as strong as ink is at a border of the image, as in a tight crop.

        There the ink that stands out may be the background: the hole of a 0 that fills its image.
        """
        strong = self.found.contrast.thresholded if self.found else self.ink
        return any(edge.any() for edge in (strong[0], strong[-1], strong[:, 0], strong[:, -1]))


def first_hypothesis(gray: np.ndarray) -> Hypothesis | None:
    """Return the digit that stands out from its background; None if there is no ink.

    Args:
        gray: luminance, float32 [H, W], 0..255.
    """
    return _found(Kind.FOUND, find_digit(gray))


def other_hypotheses(gray: np.ndarray, first: Hypothesis | None) -> Iterator[Hypothesis]:
    """Yield the other hypotheses; those that turn the digit come last.

    Args:
        gray: luminance, float32 [H, W], 0..255.
        first: what `first_hypothesis` returned.
    """
    yield from _whole_images(gray)
    if first is None or first.found is None:
        return
    components = first.found.components[1]
    if components.kept > 1:
        ink = np.zeros_like(first.ink)
        inner = first.found.inner
        np.multiply(first.ink[inner], components.main_mask, out=ink[inner])
        share = float(ink.sum() / first.ink.sum())
        yield replace(first, kind=Kind.MAIN, ink=ink, digit=normalize_digit(ink), share=share)
    if first.found.contrast.contrast.shape != gray.shape:
        again = _found(Kind.WITH_MARGIN, find_digit(gray, cut_margin=False))
        if again is not None:
            yield again
    for kind, quarters in TURNS.items():
        ink = np.rot90(first.ink, quarters)
        yield replace(first, kind=kind, ink=ink, digit=normalize_digit(ink))


def all_hypotheses(gray: np.ndarray) -> Iterator[Hypothesis]:
    """Yield the first hypothesis, if there is one, and then the others."""
    first = first_hypothesis(gray)
    if first is not None:
        yield first
    yield from other_hypotheses(gray, first)


def _whole_images(gray: np.ndarray) -> Iterator[Hypothesis]:
    """Yield the whole image as one digit, with dark and with light ink."""
    dark, light = _between_tones(255 - gray), _between_tones(gray)
    if dark is None or light is None:
        return
    for kind, ink in ((Kind.WHOLE_DARK, dark), (Kind.WHOLE_LIGHT, light)):
        whole = np.where(ink < FLOOR, np.float32(0), ink)
        yield Hypothesis(kind, whole, normalize_digit(whole), kind == Kind.WHOLE_LIGHT)
    if max(gray.shape) <= SMALL:
        yield Hypothesis(Kind.INVERTED, dark, place(dark), ink_is_light=False)
        yield Hypothesis(Kind.AS_IS, light, place(light), ink_is_light=True)


def _found(kind: Kind, found: DigitInk) -> Hypothesis | None:
    if not found.ink.any():
        return None
    return Hypothesis(kind, found.ink, normalize_digit(found.ink), found.contrast.ink_is_light, found)


def _between_tones(values: np.ndarray) -> np.ndarray | None:
    """Scale values so that the background is 0 and the ink, which is higher, is 1; None for a single tone."""
    tones = sample(values)
    low, high = quantile(tones, BACKGROUND), quantile(tones, FULL)
    if high - low < 1:  # a thin digit on a single tone
        low, high = float(values.min()), float(values.max())
    if high - low < 1:
        return None
    scaled: np.ndarray = ((values - np.float32(low)) * np.float32(1 / (high - low))).clip(0, 1)
    return scaled
