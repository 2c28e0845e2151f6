"""Digits are normalized as in MNIST: box, stroke width, center of mass."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy import ndimage

from cnn_cli.image.normalize import _dilate, normalize_digit, place, stroke_width


def hook(side: int, width: int) -> np.ndarray:
    """Draw a bent stroke with soft edges: float32 [side, side]."""
    image = Image.new("L", (2 * side, 2 * side))
    line = [(0.2, 0.2), (0.7, 0.15), (0.6, 0.5), (0.5, 0.8)]
    points = [(2 * side * x, 2 * side * y) for x, y in line]
    ImageDraw.Draw(image).line(points, fill=255, width=2 * width, joint="curve")
    return np.asarray(image.reduce(2), np.float32) / 255


def normalized(ink: np.ndarray) -> np.ndarray:
    return normalize_digit(ink).pixels


def box(image: np.ndarray) -> tuple[int, int]:
    rows, columns = np.nonzero(image)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize("width", [1, 4, 40, 200])
def test_strokes_of_any_width_become_as_wide_as_mnists(width: int) -> None:
    image = normalized(hook(2000, width))
    assert 1.5 < stroke_width(image / 255) < 4
    assert image.max() > 200
    assert max(box(image)) in (19, 20)


def test_the_size_of_the_image_does_not_matter() -> None:
    large = normalized(hook(1200, 96)).astype(int)
    for side in (200, 300, 600):
        assert np.abs(normalized(hook(side, side * 8 // 100)) - large).mean() < 4


def test_no_ink_gives_background() -> None:
    digit = normalize_digit(np.zeros((50, 40), np.float32))
    assert digit.pixels.shape == (28, 28)
    assert not digit.pixels.any()
    assert (digit.stroke, digit.thickened, digit.scale, digit.corner) == (0, False, 1, (0, 0))


@pytest.mark.parametrize("shape", [(28, 28), (28, 11), (14, 28)])
def test_a_whole_image_is_placed_in_the_middle(shape: tuple[int, int]) -> None:
    ink = np.random.default_rng(0).random(shape)
    placed = place(ink)
    top, left = (28 - shape[0]) // 2, (28 - shape[1]) // 2
    expected = np.zeros((28, 28))
    expected[top : top + shape[0], left : left + shape[1]] = 255 * ink
    assert placed.pixels.dtype == np.uint8
    np.testing.assert_allclose(placed.pixels, expected, atol=0.501)
    assert (placed.scale, placed.corner) == (1, (left, top))


def test_one_pixel_of_ink_fills_the_box() -> None:
    ink = np.zeros((30, 30), np.float32)
    ink[3, 7] = 1
    assert box(normalized(ink)) == (20, 20)


@pytest.mark.parametrize("width", [1, 3, 8])
def test_stroke_width_of_a_bar(width: int) -> None:
    bar = np.zeros((300, 40))
    bar[10:290, 5 : 5 + width] = 1
    assert stroke_width(bar) == pytest.approx(width, rel=0.05)


def test_stroke_width_of_a_slanted_soft_bar() -> None:
    image = Image.new("L", (1600, 1600))
    ImageDraw.Draw(image).line([(200, 200), (1400, 1000)], fill=255, width=96)
    outline = 2 * (np.hypot(150, 100) + 12)
    soft = np.asarray(image.resize((200, 200), Image.Resampling.BOX)) / 255
    assert stroke_width(soft) == pytest.approx(2 * soft.sum() / outline, rel=0.2)


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_dilation_equals_scipys(radius: int) -> None:
    ink = np.random.default_rng(radius).random((23, 31)).astype(np.float32) ** 8
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    expected = ndimage.grey_dilation(ink, footprint=y * y + x * x <= radius * radius, mode="constant")
    np.testing.assert_array_equal(_dilate(ink, radius), expected)


@settings(max_examples=150)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 2**32 - 1),
    st.floats(0.5, 6),
    st.floats(0.001, 0.5),
)
def test_any_ink_is_scaled_and_centered(
    height: int, width: int, seed: int, blur: float, share: float
) -> None:
    random = np.random.default_rng(seed)
    ink = ndimage.gaussian_filter((random.random((height, width)) < share).astype(np.float32), blur)
    ink = np.where(ink > 0.02, np.clip(ink * 3, 0, 1), 0).astype(np.float32)
    image = normalized(ink)
    assert image.shape == (28, 28)
    assert image.dtype == np.uint8
    assert image.any() == ink.any()
    if image.any():
        assert max(box(image)) <= 20
        center = np.array(ndimage.center_of_mass(image))
        rows, columns = np.nonzero(image)
        for axis, places in enumerate((rows, columns)):
            at_border = places.min() == 0 or places.max() == 27  # an asymmetric digit stops at the border
            assert abs(center[axis] - 14) <= 0.5 + 1e-9 or at_border
