"""Luminance -> the components of everything that is written: no page edges, frames, rules or specks."""

from dataclasses import dataclass

import numpy as np

from cnn_cli.image.background import without_margin
from cnn_cli.image.components import boxes, label
from cnn_cli.image.ink import find_component_pixels

# What is narrower than this share of the image's shorter side is taken as a stroke: a row of digits is
# often all of the image's height, and its strokes are then at most 0.17 of that; two that meet are wider.
STROKE_WINDOW = 0.4

# Components hang together by pixels of at least so much ink: paler ones are soft edges, which join neighbors.
CORE = 0.2

# A component is no writing where it runs along the border for this many times the digits' height, or is so many
# times as high as they are: a page's edge, a desk, a frame, a shadow.
EDGE_LENGTH = 1.6
TALLEST = 2.2

# A rule of the background is this many times as long as digits are high, and has at most this share of their
# height as its mean thickness. Of strings that touch all along, the thinnest have 0.2.
RULE_LENGTH, RULE_THICKNESS = 1.8, 0.12

# A speck is smaller than this share of the digits' height, both ways. The bar of a 5 is longer.
SPECK = 0.18


@dataclass(frozen=True)
class Component:
    """Ink that hangs together, cut out of its image."""

    ink: np.ndarray
    """float32 [H, W], 0 = background or another component, 1 = full ink; no side is blank."""
    left: int
    top: int

    @property
    def right(self) -> int:
        """The first column behind it."""
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


def joined(components: "list[Component]") -> Component:
    """Several components as one."""
    left, top = (
        min(component.left for component in components),
        min(component.top for component in components),
    )
    shape = (
        max(component.bottom for component in components) - top,
        max(component.right for component in components) - left,
    )
    ink = np.zeros(shape, np.float32)
    for component in components:
        here = ink[
            component.top - top : component.bottom - top, component.left - left : component.right - left
        ]
        np.maximum(here, component.ink, out=here)
    return Component(ink, left, top)


def find_components(gray: np.ndarray) -> list[Component]:
    """Find the components of everything that is written in an image, dark on light or light on dark.

    Args:
        gray: luminance, float32 [H, W], 0..255.

    Returns:
        The components, in no order.
    """
    inner = without_margin(gray)
    part = gray[inner]
    page = find_component_pixels(part, max(3, round(min(part.shape) * STROKE_WINDOW)))
    labels = label(page.components > 0)
    # Twice, as for one digit: the contrast of strokes is measured without what is no writing.
    ink = page.ink(_is_text(labels, page.components)[labels])
    labels = label(ink > CORE)
    keep = _is_text(labels, ink)
    found = _cut_out(ink, _with_soft_edges(labels, ink), keep)
    y, x = inner[0].start or 0, inner[1].start or 0
    return [Component(component.ink, component.left + x, component.top + y) for component in found]


def _is_text(labels: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """bool [components + 1]: which labels are writing, judged by size, place and thickness."""
    mass = np.bincount(labels.ravel(), ink.ravel() / max(float(ink.max()), 1e-9))
    mass[0] = 0
    top, bottom, left, right = boxes(labels, len(mass))
    height, width = np.maximum(bottom - top, 0), np.maximum(right - left, 0)
    digit = typical_height(height, np.where(_is_inside(labels, len(mass)), mass, 1e-3 * mass))
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    along = np.bincount(border, minlength=len(mass))
    longer, shorter = np.maximum(height, width), np.minimum(height, width)
    edge = (along > EDGE_LENGTH * digit) | (height > TALLEST * digit)
    rule = (longer > RULE_LENGTH * digit) & (mass / np.maximum(longer, 1) < RULE_THICKNESS * digit)
    speck = longer < SPECK * digit
    keep: np.ndarray = ~(edge | rule | speck) & (shorter > 0)
    keep[0] = False
    return keep


def _is_inside(labels: np.ndarray, count: int) -> np.ndarray:
    """bool [count]: which labels do not touch the border."""
    inside = np.ones(count, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        inside[side] = False
    return inside


def typical_height(heights: np.ndarray, weights: np.ndarray) -> float:
    """The weighted median: half of the weight belongs to heights up to it."""
    order = np.argsort(heights)
    total = np.cumsum(weights[order])
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def _with_soft_edges(labels: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Give each pixel of paler ink beside a component to that component."""
    padded = np.pad(labels, 1)
    height, width = labels.shape
    around = labels.copy()
    for dy in range(3):
        for dx in range(3):
            np.maximum(around, padded[dy : dy + height, dx : dx + width], out=around)
    return np.where(labels > 0, labels, around) * (ink > 0)


def _cut_out(ink: np.ndarray, labels: np.ndarray, keep: np.ndarray) -> list[Component]:
    top, bottom, left, right = boxes(labels, len(keep))
    components = []
    for number in np.flatnonzero(keep):
        box = slice(top[number], bottom[number]), slice(left[number], right[number])
        own = ink[box] * (labels[box] == number)
        components.append(Component(own.astype(np.float32), int(left[number]), int(top[number])))
    return components
