"""Ruled lines are found, and rows become strips in which the digits have one size and stand level."""

import numpy as np
import pytest
from helpers import rows

from cnn_cli.image.rows import find_rows
from cnn_cli.image.rules import run_lengths, without_rules
from cnn_cli.image.strips import DIGITS, strip_of_row
from cnn_cli.image.text_components import find_text

HEIGHT = 32


def bars(count: int, slope: float = 0.0, height: int = 60) -> np.ndarray:
    """Return a page, dark on light, with hollow boxes in a row that falls by `slope` pixels per pixel."""
    page = np.full((400, 900), 220, np.float32)
    for number in range(count):
        left = 150 + 90 * number
        top = round(150 + slope * left)
        page[top : top + height, left : left + 40] = 60
        page[top + 10 : top + height - 10, left + 10 : left + 30] = 220
    return page


def inked_rows(strip: np.ndarray) -> tuple[int, int]:
    found = np.flatnonzero((strip > 128).any(axis=1))
    return int(found[0]), int(found[-1]) + 1


def test_run_lengths() -> None:
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    assert run_lengths(mask).tolist() == [[2, 2, 0, 1], [0, 0, 0, 0], [4, 4, 4, 4]]


def test_a_long_thin_line_is_removed_and_the_stroke_that_crosses_it_stays_whole() -> None:
    mask = np.zeros((60, 200), bool)
    mask[30:32] = True
    mask[10:50, 90:96] = True
    unruled = without_rules(mask)
    assert unruled[10:50, 90:96].all()
    assert np.count_nonzero(unruled) == 40 * 6


@pytest.mark.parametrize("slope", [-0.07, -0.03, 0.03, 0.07])
def test_a_tilted_line_is_removed_and_the_stroke_that_crosses_it_stays_whole(slope: float) -> None:
    """A line that falls four pixels over its length joined the digits that stand on it with both borders."""
    mask = np.zeros((80, 200), bool)
    for column, row in enumerate(np.rint(40 + slope * (np.arange(200) - 100)).astype(int)):
        mask[row : row + 2, column] = True
    mask[15:65, 90:96] = True
    unruled = without_rules(mask)
    assert unruled[15:65, 90:96].all()
    assert np.count_nonzero(unruled) <= 40 + 50 * 6  # a few pixels may stay where the line moves by a pixel
    assert (without_rules(mask.T) == unruled.T).all()


def test_digits_without_a_line_keep_every_pixel() -> None:
    """Feet of letters that stand in a slanted row are no line, however many there are."""
    mask = np.zeros((90, 400), bool)
    for number in range(12):
        left, top = 10 + 32 * number, 10 + 2 * number
        mask[top : top + 40, left : left + 4] = True
        mask[top + 38 : top + 40, left : left + 20] = True
    assert (without_rules(mask) == mask).all()


def test_a_thick_bar_is_no_ruled_line() -> None:
    mask = np.zeros((60, 60), bool)
    mask[10:30] = True
    assert (without_rules(mask) == mask).all()


@pytest.mark.parametrize("height", [24, 60, 150])
def test_digits_have_one_size_in_strips(height: int) -> None:
    text = next(find_text(bars(6, height=height)))
    (row,) = find_rows(text.components)
    strip = strip_of_row(text.ink, row, HEIGHT)
    top, bottom = inked_rows(strip.pixels)
    assert strip.pixels.shape[0] == HEIGHT
    assert bottom - top == pytest.approx(DIGITS * HEIGHT, abs=1.5)
    assert (top + bottom) / 2 == pytest.approx(HEIGHT / 2, abs=1)


def test_a_strip_has_pixels_and_more_than_full_ink_is_full() -> None:
    text = next(find_text(bars(6)))
    (row,) = find_rows(text.components)
    strip = strip_of_row(1.4 * text.ink, row, HEIGHT)
    assert strip.pixels.dtype == np.uint8
    assert strip.pixels.max() == 255


def test_a_falling_row_is_level_in_its_strip_and_boxes_lead_back() -> None:
    text = next(find_text(bars(7, slope=0.08)))
    (row,) = find_rows(text.components)
    strip = strip_of_row(text.ink, row, HEIGHT)
    top, bottom = inked_rows(strip.pixels)
    assert bottom - top <= DIGITS * HEIGHT + 2.5
    first = np.flatnonzero((strip.pixels > 128).any(axis=0))[0]
    box = strip.box(int(first), top, int(first) + 14, bottom)
    assert box[0] == pytest.approx(150, abs=4)
    assert box[1] == pytest.approx(150 + 0.08 * 150, abs=6)
    assert box[3] == pytest.approx(210 + 0.08 * 190, abs=6)


def test_a_line_through_the_digits_hides_none_of_them() -> None:
    """With the ink as it is, the line and all digits on it are one component, which is taken for a rule."""
    page = bars(6)
    page[178:182] = 100
    page[300:303] = 100
    *_, unruled = find_text(page)
    (row,) = find_rows(unruled.components)
    assert len(row) == 6
    assert unruled.ink[180, 20] > 0.5  # the strip still shows the line: the network has learned to ignore it


@pytest.mark.parametrize("dark_on_light", [True, False])
def test_frames_around_digits_are_removed_in_a_text_of_their_own(dark_on_light: bool) -> None:
    page = bars(6)
    for number in range(6):
        left = 135 + 90 * number
        frame = page[130:230, left : left + 70]
        inside = frame[3:-3, 3:-3].copy()
        frame[:] = 60
        frame[3:-3, 3:-3] = inside
    *_, unframed = find_text(page if dark_on_light else 255 - page)
    (row,) = find_rows(unframed.components)
    assert [each.height for each in row] == [60] * 6
    assert not unframed.ink[130:132, 135:600].any()  # the strip does not show them


def test_the_other_tone_can_be_taken_for_ink() -> None:
    page = 255 - bars(6)
    (light, *_) = find_text(page, light_ink=True)
    (dark, *_) = find_text(page, light_ink=False)
    assert light.ink_is_light
    assert not dark.ink_is_light
    assert len(light.components) == 6
    assert light.ink[160, 155] > 0.9
    assert dark.ink[160, 155] == 0


def test_the_helper_s_lines_become_one_strip() -> None:
    digits = np.zeros((3, 28, 28), np.uint8)
    digits[:, 4:24, 9:19] = 255
    line = rows.line(list(digits), "000", np.random.default_rng(1), scale=3)
    page = rows.page([line], np.random.default_rng(2), scale=3)
    assert len(find_rows(next(find_text(page.image.astype(np.float32))).components)) == 1
