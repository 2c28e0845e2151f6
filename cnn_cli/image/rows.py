"""The components of an image -> rows of digits. Merges the parts of a digit, drops points and dashes."""

from collections.abc import Sequence

import numpy as np

from cnn_cli.image.ink import CERTAIN
from cnn_cli.image.text_components import Component, merge, typical_height

# Lengths in this file are shares of the digits' height, unless a unit is given.

# A component lower than PART_HEIGHT may be a part of a digit: the bar of a 5, half of a broken 8. What is
# part of no digit and lower than SMALLEST is a point, a comma or a minus. MNIST's lowest digits have 0.5.
PART_HEIGHT = 0.65
SMALLEST = 0.4

# A part lies at most PART_GAP above or below its digit, and digit and part are at most DIGIT_HEIGHT high; two
# rows that nearly touch are higher.
PART_GAP = 0.3
DIGIT_HEIGHT = 1.35

# A part overlaps its digit in this share of its width, or is a bar: it sticks out of the digit's upper part,
# at most BAR_PLACE below the digit's top and BAR_GAP away, and is at least BAR_LENGTH long. A point or a
# minus does not.
PART_OVERLAP = 0.5
BAR_PLACE, BAR_GAP, BAR_LENGTH = 0.35, 0.15, 0.25

# A digit belongs to the row whose next digit is expected within this distance of it; in rows that are as
# close as possible the next row is 1 away.
ROW_DISTANCE = 0.6

# A component longer than LONGEST may be several digits; its height is measured in windows of this width.
LONGEST = 1.2
WINDOW = 0.8
WINDOW_STEP = 0.25  # from one window to the next, as a share of the window

# Digits that are compared to measure the rows' slope are at most this far apart.
NEIGHBOR_DISTANCE = 2.5


def find_rows(components: Sequence[Component]) -> list[list[Component]]:
    """Merge components into digits, or into strings of digits that touch, and sort these into rows.

    Returns:
        Rows from top to bottom, in each the components from left to right. Rows may be slanted or wavy.
    """
    if not components:
        return []
    height = _digit_height(components)
    merged = _merge_parts(components, height)
    digits = [component for component in merged if component.height >= SMALLEST * height]
    slope = _slope(digits, height)
    # With the slope taken out, a row's next digit is expected at the mean height of its last two.
    levels = {id(digit): _middle(digit) - slope * _center(digit) for digit in digits}
    rows: list[list[Component]] = []
    expected = np.empty(len(digits))
    for digit in sorted(digits, key=lambda component: component.left):
        distances = np.abs(levels[id(digit)] - expected[: len(rows)])
        nearest = int(distances.argmin()) if rows else 0
        if not rows or distances[nearest] > ROW_DISTANCE * height:
            nearest = len(rows)
            rows.append([])
        rows[nearest].append(digit)
        expected[nearest] = np.mean([levels[id(last)] for last in rows[nearest][-2:]])
    return sorted(rows, key=lambda row: np.mean([levels[id(digit)] for digit in row]))


def row_height(row: Sequence[Component]) -> float:
    """Return the height of a row's digits in pixels: the median over windows that hold about one digit.

    A string of digits that touch is higher than its digits, which vary in their vertical position.
    """
    typical = float(np.median([component.height for component in row]))
    heights = [_window_heights(component, typical) for component in row]
    weights = [np.full(len(each), WINDOW_STEP) if len(each) > 1 else np.ones(1) for each in heights]
    return typical_height(np.concatenate(heights), np.concatenate(weights))


def _window_heights(component: Component, typical: float) -> np.ndarray:
    """Return the height of a component that can be one digit; of a longer one, the heights in its windows."""
    if component.width <= LONGEST * typical:
        return np.array([component.height])
    certain = component.ink > CERTAIN
    has_ink = certain.any(axis=0)
    top = np.where(has_ink, certain.argmax(axis=0), component.height)
    bottom = np.where(has_ink, component.height - certain[::-1].argmax(axis=0), 0)
    window = max(1, round(WINDOW * typical))
    starts = range(0, component.width - window + 1, max(1, round(WINDOW_STEP * window)))
    return np.array([bottom[i : i + window].max() - top[i : i + window].min() for i in starts])


def _digit_height(components: Sequence[Component]) -> float:
    weights = np.array([float(component.ink.sum()) for component in components])
    return typical_height(np.array([component.height for component in components]), weights)


def _merge_parts(components: Sequence[Component], height: float) -> list[Component]:
    """Merge parts with their digits, those with most ink first."""
    digits: list[Component] = []
    boxes = np.empty((len(components), 4))
    for component in sorted(components, key=lambda component: -float(component.ink.sum())):
        owner = _owner(component, boxes[: len(digits)], height)
        if owner is None:
            owner = len(digits)
            digits.append(component)
        else:
            digits[owner] = merge([digits[owner], component])
        boxes[owner] = _box(digits[owner])
    return digits


def _owner(part: Component, boxes: np.ndarray, height: float) -> int | None:
    """Return which digit a component is a part of, the nearest one, or None.

    Args:
        part: the component.
        boxes: [N, 4], left, top, right and bottom of the digits.
        height: of the digits, in pixels.
    """
    if part.height >= PART_HEIGHT * height or not len(boxes):
        return None
    left, top, right, bottom = boxes.T
    across = np.maximum(left, part.left) - np.minimum(right, part.right)  # below 0: they overlap
    down = np.maximum(top, part.top) - np.minimum(bottom, part.bottom)
    gap = np.maximum(np.maximum(down, across), 0)
    union_height = np.maximum(bottom, part.bottom) - np.minimum(top, part.top)
    overlaps = -across >= PART_OVERLAP * np.minimum(right - left, part.width)
    place = ((part.top + part.bottom) / 2 - top) / (bottom - top)
    long = part.width >= BAR_LENGTH * height
    is_bar = long & (place <= BAR_PLACE) & (part.left >= (left + right) / 2)
    near = np.where(overlaps, gap <= PART_GAP * height, is_bar & (gap <= BAR_GAP * height))
    owns = near & (union_height <= DIGIT_HEIGHT * height)
    return int(np.where(owns, gap, np.inf).argmin()) if owns.any() else None


def _box(component: Component) -> tuple[int, int, int, int]:
    return component.left, component.top, component.right, component.bottom


def _slope(digits: Sequence[Component], height: float) -> float:
    """Return the rows' slope, pixels down for each pixel to the right: the median over neighboring digits."""
    if not digits:
        return 0.0
    left, top, right, bottom = np.array([_box(digit) for digit in digits], np.float64).T
    center, middle, width = (left + right) / 2, (top + bottom) / 2, right - left
    slopes = []
    for i in range(len(digits)):
        follows = (
            (right[i] <= left + 0.5 * width)
            & (center > center[i])
            & (np.abs(middle - middle[i]) < ROW_DISTANCE * height)
            & (left - right[i] < NEIGHBOR_DISTANCE * height)
        )
        if follows.any():
            nearest = int(np.where(follows, left, np.inf).argmin())
            slopes.append((middle[nearest] - middle[i]) / (center[nearest] - center[i]))
    return float(np.median(slopes)) if slopes else 0.0


def _middle(component: Component) -> float:
    return (component.top + component.bottom) / 2


def _center(component: Component) -> float:
    return (component.left + component.right) / 2
