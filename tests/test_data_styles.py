"""Digits in other styles: each drawing shows its digit, compared with tables that are not the program's."""

from itertools import product

import numpy as np
import pytest

from cnn_cli.data.synthetic import ruled as ruled_module
from cnn_cli.data.synthetic import segments
from cnn_cli.data.synthetic.drawing import BLOCK
from cnn_cli.data.synthetic.fonts import FONTS, printed
from cnn_cli.data.synthetic.hands import HANDS
from cnn_cli.data.synthetic.segments import dots, seven_segments
from cnn_cli.data.synthetic.splines import parse
from cnn_cli.data.synthetic.strokes import DIGITS
from cnn_cli.data.synthetic.styles import draw_styles

LIT = {0: 0x3F, 1: 0x06, 2: 0x5B, 3: 0x4F, 4: 0x66, 5: 0x6D, 6: 0x7D, 7: 0x07, 8: 0x7F, 9: 0x6F}
"""The segments of each digit as the bits that drivers of displays use: a is 1, b is 2, ... g is 64."""


def test_digits_in_mnists_format_and_with_every_class() -> None:
    images, labels = draw_styles(2 * BLOCK, 1)
    assert images.shape == (2 * BLOCK, 28, 28)
    assert images.dtype == labels.dtype == np.uint8
    assert (np.bincount(labels, minlength=10) > 15).all()
    rows = images.any(axis=2)
    heights = 28 - rows.argmax(axis=1) - rows[:, ::-1].argmax(axis=1)
    widths = images.any(axis=1).sum(axis=1)
    assert (np.maximum(heights, widths) >= 18).all()
    assert np.maximum(heights, widths).max() <= 20


def test_a_block_depends_only_on_its_number_and_the_seed() -> None:
    images, labels = draw_styles(2 * BLOCK, 1)
    fewer, fewer_labels = draw_styles(BLOCK + 7, 1)
    assert np.array_equal(fewer, images[: BLOCK + 7])
    assert np.array_equal(fewer_labels, labels[: BLOCK + 7])
    assert not np.array_equal(draw_styles(BLOCK, 2)[0], images[:BLOCK])
    assert draw_styles(0, 1)[0].shape == (0, 28, 28)


@pytest.mark.parametrize("digit", range(10))
def test_the_segments_of_a_display(digit: int) -> None:
    expected = {"abcdefg"[bit] for bit in range(7) if LIT[digit] >> bit & 1}
    assert set(segments.SEGMENTS[digit]) == expected
    other = segments.WITHOUT_TAIL.get(digit)
    assert other is None or len(expected ^ set(other)) == 1


def test_segments_are_drawn_where_they_are_lit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The 3 has no ink at the left between its bars; the 8 has, and is the 0 with a middle bar."""
    monkeypatch.setattr(segments, "WITHOUT_TAIL", {})
    shares = {digit: [] for digit in (0, 3, 8)}
    for digit, seed in product(shares, range(20)):
        ink = seven_segments(digit, np.random.default_rng(seed))
        assert ink.max() == 1
        assert ink.min() >= 0
        height, width = ink.shape
        quarter = ink[round(0.2 * height) : round(0.35 * height), : width // 4]
        middle = ink[round(0.45 * height) : round(0.55 * height), width // 3 : round(0.6 * width)]
        shares[digit].append(((quarter > 0.5).mean(), (middle > 0.5).mean()))
    left, middle = (np.array([[each[i] for each in shares[d]] for d in (0, 3, 8)]) for i in (0, 1))
    assert (left[1] == 0).all()
    assert (left[[0, 2]] > 0.1).all()
    assert (middle[0] == 0).all()
    assert (middle[1:] > 0.1).all()


@pytest.mark.parametrize("digit", range(10))
def test_dots_are_large_where_the_matrix_is_set(digit: int) -> None:
    found = set()
    for seed in range(30):
        ink = dots(digit, np.random.default_rng(seed))
        for table, (rows, columns) in ((segments.MATRIX, (7, 5)), (segments.SMALL_MATRIX, (5, 3))):
            if ink.shape[0] % rows or ink.shape[1] % columns:
                continue
            cells = ink.reshape(rows, ink.shape[0] // rows, columns, -1).mean(axis=(1, 3)) > 0.5
            expected = np.array([[dot == "1" for dot in row] for row in table[digit].split()])
            if np.array_equal(cells, expected):
                found.add(rows)
    assert found == {7, 5}


def test_the_digits_of_the_two_matrices_are_all_different() -> None:
    for table in (segments.MATRIX, segments.SMALL_MATRIX):
        assert len(set(table)) == 10


def test_print_of_every_font_differs_by_digit() -> None:
    for seed in range(len(FONTS)):
        inks = [printed(digit, np.random.default_rng(seed)) for digit in range(10)]
        assert all(ink.max() == 1 and ink.min() == 0 for ink in inks)
        assert len({ink.tobytes() for ink in inks}) == 10
        one, eight = inks[1], inks[8]
        assert one.mean() * one.size < eight.mean() * eight.size  # a 1 has the least ink, an 8 the most


def test_a_1_has_a_steep_flag_and_a_7_a_flat_bar() -> None:
    """What sets them apart in every hand that is described."""
    for sign, (low, high) in ((1, (0.45, 1.6)), (7, (0.0, 0.3))):
        added = HANDS[sign][len(DIGITS[sign]) :]
        assert len(added) > 15
        for variant in added:
            if variant.name.endswith("wave"):
                continue
            points, corners = parse(variant.strokes[0])
            start, corner = points[0], points[corners[0]]
            slope = (start[1] - corner[1]) / (corner[0] - start[0])
            assert low <= slope <= high, variant.name


@pytest.mark.parametrize(("digit", "reach", "low", "high"), [(1, 0.1, 0.3, 1.7), (7, 0.3, -0.15, 0.35)])
def test_ruled_digits_have_the_slope_of_their_flag(monkeypatch, digit, reach, low, high) -> None:
    """The upper edge of thin ink, left of its corner, falls steeply for a 1 and little for a 7."""
    monkeypatch.setattr(ruled_module, "THICK", (0.04, 0.05))
    monkeypatch.setattr(ruled_module, "FOOT", 0)
    monkeypatch.setattr(ruled_module, "ONE", (*ruled_module.ONE[:2], (0, 0)))
    slopes = []
    for seed in range(40):
        ink = ruled_module.ruled(digit, np.random.default_rng(seed)) > 0.5
        upper = ink.argmax(axis=0)
        corner, columns = ink.shape[1] - 5, round(reach * ruled_module.FINE)
        slopes.append((upper[corner - columns] - upper[corner]) / columns)
    assert low < min(slopes)
    assert max(slopes) < high
    assert np.median(slopes) == pytest.approx(0.95 if digit == 1 else 0.1, abs=0.2)


def test_other_hands_have_all_common_ways_of_writing() -> None:
    for common, all_ways in zip(DIGITS, HANDS, strict=True):
        assert all_ways[: len(common)] == common
        names = [variant.name for variant in all_ways]
        assert len(set(names)) == len(names)
