"""Components of ink are found, those that are no digits are dropped, and the others are sorted into rows."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_cli.image.rows import _slope, find_rows
from cnn_cli.image.text_components import Component, find_text, merge


def drawing(size: tuple[int, int], *shapes: tuple[int, int, int, int]) -> np.ndarray:
    """Draw dark rectangles (left, top, right, bottom) on a light background: float32 [H, W]."""
    image = Image.new("L", size, 220)
    for left, top, right, bottom in shapes:
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=40)
    return np.asarray(image, np.float32)


BARS = tuple((left, 40, left + 8, 100) for left in range(60, 360, 50))


def boxes(gray: np.ndarray) -> list[list[tuple[int, int, int, int]]]:
    return [
        [(component.left, component.top, component.right, component.bottom) for component in row]
        for row in find_rows(next(find_text(gray)).components)
    ]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("a speck", (200, 20, 204, 24)),
        ("a point", (148, 92, 156, 100)),
        ("a comma", (148, 88, 156, 110)),
        ("a minus", (20, 66, 50, 74)),
        ("a rule", (0, 120, 400, 122)),
        ("a margin's rule", (30, 0, 32, 160)),
        ("the page's edge", (0, 0, 400, 12)),
        ("a desk", (388, 0, 400, 160)),
    ],
)
def test_shapes_that_are_no_digits_are_dropped(name: str, shape: tuple[int, int, int, int]) -> None:
    assert boxes(drawing((400, 160), *BARS, shape)) == [list(BARS)], name


def test_parts_above_each_other_are_merged() -> None:
    broken = [(60, 40, 100, 66), (60, 72, 100, 100)]
    assert boxes(drawing((400, 160), *BARS[1:], *broken))[0][0] == (60, 40, 100, 100)


def test_a_dash_beside_the_top_of_a_digit_is_a_bar_at_its_right_only() -> None:
    digit = (60, 40, 100, 100)
    assert boxes(drawing((400, 160), *BARS[2:], digit, (36, 40, 58, 52)))[0][0] == digit
    assert boxes(drawing((400, 160), *BARS[2:], digit, (102, 40, 124, 52)))[0][0] == (60, 40, 124, 100)


def test_slanted_digits_whose_boxes_overlap_are_neighbors() -> None:
    digits = [Component(np.ones((60, 30), np.float32), 24 * number, 10 * (number % 2)) for number in range(4)]
    assert _slope(digits, 60) == pytest.approx(10 / 24)  # the median of up, down, up


def test_wavy_rows_are_separated() -> None:
    def shape(left: int, top: int) -> tuple[int, int, int, int]:
        moved = top + round(45 * np.sin(left / 90))
        return left, moved, left + 10, moved + 50

    rows = [[shape(left, top) for left in range(20, 580, 28)] for top in (80, 160, 240)]
    assert boxes(drawing((600, 360), *(each for row in rows for each in row))) == rows


def test_merged_components_keep_all_their_ink() -> None:
    one, other = (
        Component(np.full((4, 6), 0.5, np.float32), 10, 20),
        Component(np.ones((3, 3), np.float32), 14, 22),
    )
    both = merge([one, other])
    assert (both.left, both.top, both.right, both.bottom) == (10, 20, 17, 25)
    assert both.ink.sum() == 9 + 0.5 * (24 - 4)
    assert both.ink.dtype == np.float32
