"""Connected components of a digit: places compared with scipy's, and which of several make up the digit."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import ndimage

from cnn_cli.image.components import (
    GRID,
    Components,
    Reason,
    bounding_boxes,
    find_digit_components,
    label,
)

Box = tuple[int, int, int, int]

DIGIT: Box = (30, 20, 50, 70)
"""Left, top, right, bottom on a square of `GRID` pixels, so that a cell is a pixel."""


def drawn(*boxes: Box, side: int = GRID) -> np.ndarray:
    """Return the ink of filled boxes."""
    ink = np.zeros((side, side), np.float32)
    for left, top, right, bottom in boxes:
        ink[top:bottom, left:right] = 1
    return ink


def frame(margin: int, side: int = GRID) -> list[Box]:
    """Return the four sides of a frame, one pixel thick."""
    low, high = margin, side - margin
    return [
        (low, low, high, low + 1),
        (low, high - 1, high, high),
        (low, low, low + 1, high),
        (high - 1, low, high, high),
    ]


def ignored(components: Components) -> dict[Box, Reason]:
    return {box: reason for _, reason, box in components.ignored()}


@pytest.mark.parametrize("seed", range(5))
def test_bounding_boxes_are_those_of_scipy(seed: int) -> None:
    labels, count = ndimage.label(np.random.default_rng(seed).random((40, 57)) < 0.2, np.ones((3, 3)))
    found = np.stack(bounding_boxes(labels, count + 1))[:, 1:].T.tolist()
    assert found == [[r.start, r.stop, c.start, c.stop] for r, c in ndimage.find_objects(labels)]


@pytest.mark.parametrize("side", [97, 200, 1000])
def test_the_ink_of_a_cell_is_the_sum_of_its_pixels(side: int) -> None:
    ink = np.random.default_rng(side).random((side, side - 3), np.float32)
    cell = -(-side // GRID)
    found = find_digit_components(ink)
    assert found.cell == cell
    assert found.mass.sum() == pytest.approx(ink.sum(), rel=1e-5)
    assert found.mask.shape == ink.shape
    np.testing.assert_array_equal(
        found.labels, label(np.ones((-(-side // cell), -(-(side - 3) // cell)), bool))
    )


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([], {}),
        ([(31, 75, 32, 76)], {(31, 75, 32, 76): Reason.SPECK}),
        ([(52, 30, 62, 36)], {}),  # a part: 60 of 1,000 pixels, 2 pixels beside it
        ([(70, 30, 80, 36)], {(70, 30, 80, 36): Reason.FAR}),  # 20 pixels beside it, and 50 is its extent
        ([(30, 76, 50, 82)], {}),
        ([(30, 84, 50, 90)], {(30, 84, 50, 90): Reason.FAR}),
        (
            [(20, 76, 29, 96)],
            {(20, 76, 29, 96): Reason.FAR},
        ),  # it touches the border, where 5 pixels are the limit
        ([(0, 0, 5, 96)], {(0, 0, 5, 96): Reason.OUTER}),  # an edge
        (frame(2), {(2, 2, 94, 94): Reason.OUTER}),
    ],
)
def test_what_belongs_to_a_digit(boxes: Sequence[Box], expected: dict[Box, Reason]) -> None:
    found = find_digit_components(drawn(DIGIT, *boxes))
    assert ignored(found) == expected
    left, top, right, bottom = DIGIT
    assert found.mask[top:bottom, left:right].all()
    assert found.kept == 1 + len(boxes and [boxes[0]]) - len(expected)
    assert not found.main_is_outer


def test_a_digit_grows_by_its_parts() -> None:
    """The dots of a broken stroke are each close to the dot before it, but not to the main component."""
    dots = [(left, 30, left + 8, 36) for left in (52, 64, 76)]
    assert find_digit_components(drawn(DIGIT, *dots)).kept == 4
    without_the_first = find_digit_components(drawn(DIGIT, *dots[1:]))
    assert ignored(without_the_first) == dict.fromkeys(dots[1:], Reason.FAR)
    specks = [(left, 30, left + 5, 35) for left in (52, 62)]  # no speck is a part, or leads to one
    found = find_digit_components(drawn(DIGIT, *specks, (72, 30, 80, 36)))
    assert ignored(found) == {
        specks[0]: Reason.SPECK,
        specks[1]: Reason.SPECK,
        (72, 30, 80, 36): Reason.FAR,
    }


def test_a_digit_with_less_ink_than_the_page_around_it_is_still_the_digit() -> None:
    found = find_digit_components(drawn(DIGIT, (0, 0, 28, 96)))
    assert ignored(found) == {(0, 0, 28, 96): Reason.OUTER}
    assert found.ink == 20 * 50
    assert found.may_hide_digit


def test_a_short_component_is_not_the_main_one() -> None:
    """A blot of a tenth of the height has more ink than a thin stroke."""
    blot, stroke = (70, 10, 80, 20), (30, 20, 31, 80)
    found = find_digit_components(drawn(blot, stroke))
    assert not found.main_mask[15, 75]
    assert found.main_mask[50, 30]


@pytest.mark.parametrize(
    ("box", "is_outer"),
    [
        (DIGIT, False),
        ((0, 20, 62, 50), False),
        ((0, 20, 58, 50), True),
        ((0, 10, 20, 80), True),
        ((2, 2, 94, 94), True),
    ],
)
def test_a_single_component_may_be_the_edge_of_a_page(box: Box, is_outer: bool) -> None:
    found = find_digit_components(drawn(box))
    assert found.main_is_outer is is_outer
    assert found.may_hide_digit is is_outer
    assert found.ink == (0 if is_outer else (box[2] - box[0]) * (box[3] - box[1]))
    assert found.kept == 1
    assert not found.ignored()


def test_no_ink_is_no_component() -> None:
    found = find_digit_components(drawn())
    assert (found.kept, found.ink, found.ignored()) == (0, 0, [])
    assert not found.mask.any()
