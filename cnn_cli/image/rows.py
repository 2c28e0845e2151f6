"""The components of a page -> rows of digits: the parts of one digit together, dots and dashes left out."""

from collections.abc import Sequence

import numpy as np

from cnn_cli.image.ink import REAL
from cnn_cli.image.text_components import Component, joined, typical_height

# A component that is lower than this share of the digits' height may be a part of one: the bar of a 5, half of a
# broken 8. What then belongs to none and is lower than SMALLEST is no digit: a dot, a comma, a minus.
# MNIST's widest digits have 0.5 of the usual height.
PART_HEIGHT = 0.65
SMALLEST = 0.4

# A part lies at most this far from its digit, above or below, and makes it no higher than this (1 = the
# digits' height); two rows that nearly touch are higher.
PART_GAP = 0.3
WHOLE_HEIGHT = 1.35

# A part shares this share of its width with its digit, or sticks out of the digit's upper part, which a dot
# or a minus does not: the bar of a 5.
PART_OVERLAP = 0.5
BAR_PLACE, BAR_GAP, BAR_LENGTH = 0.35, 0.15, 0.25

# A digit belongs to the row whose next digit would lie within this distance of it (1 = the digits' height);
# in rows that are as close as they can be the next one lies 1 away.
ROW_DISTANCE = 0.6

# A component that is longer than this (1 = the usual height) may be several digits, and its height is measured in
# windows of this width.
LONGEST = 1.2
WINDOW = 0.8
WINDOW_STEP = 0.25  # from one to the next, as a share of it

# A gap in a stroke is at most so wide (1 = the digits' height). Two digits may be as near: what lies at a gap
# is cut like what touches, where the network is surer of the parts.
BREAK = 0.1

# Neighbors that tell the slope of the rows are at most this far apart (1 = the digits' height).
NEIGHBORS = 2.5


def find_rows(components: Sequence[Component]) -> list[list[Component]]:
    """Put components together to digits, or to strings of digits that touch, and these into rows.

    Returns:
        Rows from top to bottom, in each the components from left to right. Rows may be slanted or wavy.
    """
    if not components:
        return []
    height = _height(components)
    digits = [component for component in _whole(components, height) if component.height >= SMALLEST * height]
    slope = _slope(digits, height)
    rows: list[list[Component]] = []
    for digit in sorted(digits, key=lambda component: component.left):
        distances = [abs(_middle(digit) - _expected(row, digit, slope)) for row in rows]
        nearest = int(np.argmin(distances)) if rows else -1
        if rows and distances[nearest] <= ROW_DISTANCE * height:
            rows[nearest].append(digit)
        else:
            rows.append([digit])
    return sorted(
        rows, key=lambda row: np.mean([_middle(component) - slope * _center(component) for component in row])
    )


def near_together(row: Sequence[Component], height: float) -> list[Component]:
    """A row's components, those that nearly touch as one: they may be parts of one digit."""
    together: list[Component] = []
    for component in row:
        if together and component.left - together[-1].right <= BREAK * height:
            together[-1] = joined([together[-1], component])
        else:
            together.append(component)
    return together


def row_height(row: Sequence[Component]) -> float:
    """The height of a row's digits, in pixels: the median, measured in windows that hold about one digit.

    A string of digits that touch is higher than its digits, which go up and down.
    """
    usual = float(np.median([component.height for component in row]))
    heights = [_heights(component, usual) for component in row]
    weights = [np.full(len(each), WINDOW_STEP) if len(each) > 1 else np.ones(1) for each in heights]
    return typical_height(np.concatenate(heights), np.concatenate(weights))


def _heights(component: Component, usual: float) -> np.ndarray:
    """Of a component that can be one digit its height, of a longer one the heights of its parts."""
    if component.width <= LONGEST * usual:
        return np.array([component.height])
    solid = component.ink > REAL
    inked = solid.any(axis=0)
    top = np.where(inked, solid.argmax(axis=0), component.height)
    bottom = np.where(inked, component.height - solid[::-1].argmax(axis=0), 0)
    window = max(1, round(WINDOW * usual))
    starts = range(0, component.width - window + 1, max(1, round(WINDOW_STEP * window)))
    return np.array([bottom[i : i + window].max() - top[i : i + window].min() for i in starts])


def _height(components: Sequence[Component]) -> float:
    weights = np.array([float(component.ink.sum()) for component in components])
    return typical_height(np.array([component.height for component in components]), weights)


def _whole(components: Sequence[Component], height: float) -> list[Component]:
    """Join parts to their digits, the largest first."""
    whole: list[Component] = []
    for component in sorted(components, key=lambda component: -float(component.ink.sum())):
        owners = [i for i in range(len(whole)) if _is_part(component, whole[i], height)]
        best = min(owners, key=lambda i: _gap(whole[i], component), default=None)
        if best is None:
            whole.append(component)
        else:
            whole[best] = joined([whole[best], component])
    return whole


def _is_part(part: Component, digit: Component, height: float) -> bool:
    across = min(part.right, digit.right) - max(part.left, digit.left)
    union = max(part.bottom, digit.bottom) - min(part.top, digit.top)
    if part.height >= PART_HEIGHT * height or union > WHOLE_HEIGHT * height:
        return False
    if across >= PART_OVERLAP * min(part.width, digit.width):
        return _gap(part, digit) <= PART_GAP * height
    place = ((part.top + part.bottom) / 2 - digit.top) / digit.height
    is_bar = part.width >= BAR_LENGTH * height and place <= BAR_PLACE and part.left >= _center(digit)
    return is_bar and _gap(part, digit) <= BAR_GAP * height


def _gap(one: Component, other: Component) -> float:
    down = max(one.top, other.top) - min(one.bottom, other.bottom)
    across = max(one.left, other.left) - min(one.right, other.right)
    return max(down, across, 0)


def _slope(digits: Sequence[Component], height: float) -> float:
    """Pixels down for each to the right: the median over all pairs of neighbors."""
    slopes = []
    for digit in digits:
        behind = [
            other
            for other in digits
            if digit.right <= other.left + 0.5 * other.width
            and _center(other) > _center(digit)
            and abs(_middle(other) - _middle(digit)) < ROW_DISTANCE * height
            and other.left - digit.right < NEIGHBORS * height
        ]
        nearest = min(behind, key=lambda other: other.left, default=None)
        if nearest is not None:
            slopes.append((_middle(nearest) - _middle(digit)) / (_center(nearest) - _center(digit)))
    return float(np.median(slopes)) if slopes else 0.0


def _expected(row: Sequence[Component], digit: Component, slope: float) -> float:
    """Where the middle of the row's next digit would lie: as its last two do, along the slope."""
    return float(np.mean([_middle(last) + slope * (_center(digit) - _center(last)) for last in row[-2:]]))


def _middle(component: Component) -> float:
    return (component.top + component.bottom) / 2


def _center(component: Component) -> float:
    return (component.left + component.right) / 2
