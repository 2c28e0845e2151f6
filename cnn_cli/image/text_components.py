"""Luminance -> the connected components of handwritten lines, without page edges, frames, rules or specks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnn_cli.image.background import without_margin
from cnn_cli.image.components import bounding_boxes, label
from cnn_cli.image.ink import ThresholdedContrast, threshold_contrast
from cnn_cli.image.rules import without_rules

# What is narrower than this share of the image's shorter side is a stroke: a row of digits often fills the
# height of the image, and its strokes are then at most 0.17 of that wide; where two meet, the ink is wider.
STROKE_WINDOW = 0.4

# Components are connected by pixels with more ink than this; paler pixels are soft edges, which would connect
# neighboring digits.
CORE = 0.2

# A component is a page's edge, a desk, a frame or a shadow if it runs along the border for more than
# EDGE_LENGTH, or is higher than TALLEST (1 = the digits' height).
EDGE_LENGTH = 1.6
TALLEST = 2.2

# A ruled line is longer than the first and its mean thickness is less than the second (1 = the digits'
# height). The thinnest strings of digits that touch everywhere have 0.2.
RULE_LENGTH, RULE_THICKNESS = 1.8, 0.12

# A speck is smaller than this in both directions (1 = the digits' height). The bar of a 5 is longer.
SPECK = 0.18


INSIDE = 0.3
"""What is inside a frame has at least this share of its height."""

MOST = 1500
"""Upper limit of the components of an image: 40 lines of 35 digits are 1,400."""


@dataclass(frozen=True)
class Component:
    """A connected component with its ink, cut out of its image."""

    ink: np.ndarray
    """float32 [H, W], 0 = background or another component, 1 = full ink; no outer row or column is blank."""
    left: int
    top: int

    @property
    def right(self) -> int:
        """The first column to the right of it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.ink.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.ink.shape[1])


def merge(components: Sequence[Component]) -> Component:
    """Merge several components into one."""
    left, top = min(each.left for each in components), min(each.top for each in components)
    right, bottom = max(each.right for each in components), max(each.bottom for each in components)
    ink = np.zeros((bottom - top, right - left), np.float32)
    for each in components:
        part = ink[each.top - top : each.bottom - top, each.left - left : each.right - left]
        np.maximum(part, each.ink, out=part)
    return Component(ink, left, top)


@dataclass(frozen=True)
class TextInk:
    """What may be text in an image."""

    ink: np.ndarray
    """All ink of the image, with what is no text: float32 [H, W], 0 = background, 1 = full ink."""
    components: list[Component]
    """Those that may be text, in no particular order."""
    ink_is_light: bool
    """Whether ink is lighter than its background."""

    def turned(self, turns: int) -> "TextInk":
        """Return the same of the image that is turned counterclockwise by a number of quarters."""
        turned = self
        for _ in range(turns):
            width = turned.ink.shape[1]
            components = [
                Component(np.rot90(each.ink), each.top, width - each.right) for each in turned.components
            ]
            turned = replace(turned, ink=np.ascontiguousarray(np.rot90(turned.ink)), components=components)
        return turned

    def without_frames(self) -> "TextInk":
        """Return the same without circles and boxes around digits: components that enclose another one."""
        framing = _enclosing(self.components)
        ink = self.ink.copy()
        for frame in (each for each, is_frame in zip(self.components, framing, strict=True) if is_frame):
            ink[frame.top : frame.bottom, frame.left : frame.right][frame.ink > 0] = 0
        kept = [each for each, is_frame in zip(self.components, framing, strict=True) if not is_frame]
        return replace(self, ink=ink, components=kept)


def find_text(gray: np.ndarray, *, light_ink: bool | None = None) -> Iterator[TextInk]:
    """Find what may be text, dark on light or light on dark.

    Args:
        gray: luminance, float32 [H, W], 0..255.
        light_ink: whether ink is lighter than its background; None if the image decides.

    Yields:
        First with the ink as it is; then, if there are ruled lines, without them: digits that touch a line
        form components of their own; then, if digits are in circles or boxes, without these.
    """
    inner = without_margin(gray)
    part = gray[inner]
    contrast = threshold_contrast(part, max(3, round(min(part.shape) * STROKE_WINDOW)), light_ink=light_ink)
    all_ink = contrast.thresholded > 0
    text = _text_in(contrast, all_ink, inner, gray.shape)
    yield text
    unruled = without_rules(all_ink)
    if (unruled != all_ink).any():
        text = _text_in(contrast, unruled, inner, gray.shape)
        yield text
    unframed = text.without_frames()
    if len(unframed.components) < len(text.components):
        yield unframed


def _text_in(
    contrast: ThresholdedContrast, mask: np.ndarray, inner: tuple[slice, slice], shape: tuple[int, ...]
) -> TextInk:
    """Find the components among the pixels of a mask, bool [h, w] of the image's inner part."""
    labels = label(mask)
    # Two passes, as for one digit: the strokes' contrast is measured without the components that are no
    # digits.
    strokes = _may_be_text(labels, contrast.thresholded * mask)[labels]
    all_ink, ink = contrast.to_all_ink(strokes), contrast.to_ink(strokes)
    ink[(contrast.thresholded > 0) & ~mask] = 0
    labels = label(ink > CORE)
    keep = _largest(_may_be_text(labels, ink), labels)
    components = _cut_out(ink, _with_soft_edges(labels, ink), keep)
    y, x = inner[0].start or 0, inner[1].start or 0
    whole = np.zeros(shape, np.float32)
    whole[inner] = all_ink
    moved = [Component(each.ink, each.left + x, each.top + y) for each in components]
    return TextInk(whole, moved, contrast.ink_is_light)


def _enclosing(components: Sequence[Component]) -> list[bool]:
    """Return which components have another one inside their box that is no speck beside them."""
    boxes = np.array([(each.left, each.top, -each.right, -each.bottom) for each in components]).reshape(-1, 4)
    heights = np.array([each.height for each in components])
    inside = (boxes[:, None] < boxes).all(axis=2) & (heights >= INSIDE * heights[:, None])
    framing = np.asarray(inside.any(axis=1))
    return [bool(each) for each in framing]


def _largest(keep: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Keep the largest `MOST` of the components that are kept: noise and dot patterns have any number."""
    if np.count_nonzero(keep) <= MOST:
        return keep
    sizes = np.where(keep, np.bincount(labels.ravel(), minlength=len(keep)), 0)
    kept = np.zeros_like(keep)
    kept[np.argsort(-sizes, kind="stable")[:MOST]] = True
    return kept


def _may_be_text(labels: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Decide by size, position and thickness which labels may be digits: bool [components + 1]."""
    mass = np.bincount(labels.ravel(), ink.ravel() / max(float(ink.max()), 1e-9))
    mass[0] = 0
    top, bottom, left, right = bounding_boxes(labels, len(mass))
    height, width = np.maximum(bottom - top, 0), np.maximum(right - left, 0)
    digit = typical_height(height, np.where(_is_inside(labels, len(mass)), mass, 1e-3 * mass))
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    contact = np.bincount(border, minlength=len(mass))
    longer, shorter = np.maximum(height, width), np.minimum(height, width)
    edge = (contact > EDGE_LENGTH * digit) | (height > TALLEST * digit)
    rule = (longer > RULE_LENGTH * digit) & (mass / np.maximum(longer, 1) < RULE_THICKNESS * digit)
    speck = longer < SPECK * digit
    keep: np.ndarray = ~(edge | rule | speck) & (shorter > 0)
    keep[0] = False
    return keep


def _is_inside(labels: np.ndarray, count: int) -> np.ndarray:
    """Return which labels do not touch the border: bool [count]."""
    inside = np.ones(count, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        inside[side] = False
    return inside


def typical_height(heights: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted median: half of the weight belongs to heights up to it."""
    order = np.argsort(heights)
    total = np.cumsum(weights[order])
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def _with_soft_edges(labels: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Give each paler ink pixel next to a component that component's label."""
    padded = np.pad(labels, 1)
    height, width = labels.shape
    dilated = labels.copy()
    for dy in range(3):
        for dx in range(3):
            np.maximum(dilated, padded[dy : dy + height, dx : dx + width], out=dilated)
    return np.where(labels > 0, labels, dilated) * (ink > 0)


def _cut_out(ink: np.ndarray, labels: np.ndarray, keep: np.ndarray) -> list[Component]:
    """Cut the components whose label is to be kept out of the image."""
    top, bottom, left, right = bounding_boxes(labels, len(keep))
    components = []
    for number in np.flatnonzero(keep):
        box = slice(top[number], bottom[number]), slice(left[number], right[number])
        own_ink = ink[box] * (labels[box] == number)
        components.append(Component(own_ink.astype(np.float32), int(left[number]), int(top[number])))
    return components
