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

# A gap in a stroke is at most this wide. Two digits may be as close: components at such a gap are merged, and
# cut again if the network answers with more confidence for the parts.
STROKE_GAP = 0.1

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
    rows: list[list[Component]] = []
    for digit in sorted(digits, key=lambda component: component.left):
        distances = [abs(_middle(digit) - _expected_middle(row, digit, slope)) for row in rows]
        nearest = int(np.argmin(distances)) if rows else -1
        if rows and distances[nearest] <= ROW_DISTANCE * height:
            rows[nearest].append(digit)
        else:
            rows.append([digit])
    return sorted(rows, key=lambda row: np.mean([_middle(digit) - slope * _center(digit) for digit in row]))


def merge_close(row: Sequence[Component], height: float) -> list[Component]:
    """Merge components of a row that nearly touch, since they may be parts of one digit."""
    merged: list[Component] = []
    for component in row:
        if merged and component.left - merged[-1].right <= STROKE_GAP * height:
            merged[-1] = merge([merged[-1], component])
        else:
            merged.append(component)
    return merged


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
    for component in sorted(components, key=lambda component: -float(component.ink.sum())):
        owners = [i for i, digit in enumerate(digits) if _is_part(component, digit, height)]
        nearest = min(owners, key=lambda i: _gap(digits[i], component), default=None)
        if nearest is None:
            digits.append(component)
        else:
            digits[nearest] = merge([digits[nearest], component])
    return digits


def _is_part(part: Component, digit: Component, height: float) -> bool:
    overlap = min(part.right, digit.right) - max(part.left, digit.left)
    union_height = max(part.bottom, digit.bottom) - min(part.top, digit.top)
    if part.height >= PART_HEIGHT * height or union_height > DIGIT_HEIGHT * height:
        return False
    if overlap >= PART_OVERLAP * min(part.width, digit.width):
        return _gap(part, digit) <= PART_GAP * height
    place = ((part.top + part.bottom) / 2 - digit.top) / digit.height
    is_bar = part.width >= BAR_LENGTH * height and place <= BAR_PLACE and part.left >= _center(digit)
    return is_bar and _gap(part, digit) <= BAR_GAP * height


def _gap(one: Component, other: Component) -> float:
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    across = max(one.left, other.left) - min(one.right, other.right)
    return max(down, across, 0)


def _slope(digits: Sequence[Component], height: float) -> float:
    """Return the rows' slope, pixels down for each pixel to the right: the median over neighboring digits."""
    slopes = []
    for digit in digits:
        following = [
            other
            for other in digits
            if digit.right <= other.left + 0.5 * other.width
            and _center(other) > _center(digit)
            and abs(_middle(other) - _middle(digit)) < ROW_DISTANCE * height
            and other.left - digit.right < NEIGHBOR_DISTANCE * height
        ]
        nearest = min(following, key=lambda other: other.left, default=None)
        if nearest is not None:
            slopes.append((_middle(nearest) - _middle(digit)) / (_center(nearest) - _center(digit)))
    return float(np.median(slopes)) if slopes else 0.0


def _expected_middle(row: Sequence[Component], digit: Component, slope: float) -> float:
    """Return the expected middle of the row's next digit: that of its last two, continued along the slope."""
    return float(np.mean([_middle(last) + slope * (_center(digit) - _center(last)) for last in row[-2:]]))


def _middle(component: Component) -> float:
    return (component.top + component.bottom) / 2


def _center(component: Component) -> float:
    return (component.left + component.right) / 2
