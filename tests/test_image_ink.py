"""The ink of a digit is found despite shadows, edges, frames, other digits, specks, ruled lines and noise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy import ndimage

from cnn_cli.image.background import _closing, _fit_illumination, measure_contrast, without_margin
from cnn_cli.image.components import find_digit_components, label
from cnn_cli.image.ink import find_digit, threshold_contrast

FIVE = [(0.60, 0.42), (0.38, 0.42), (0.36, 0.55), (0.55, 0.56), (0.60, 0.68), (0.52, 0.80), (0.36, 0.79)]
BAR = [(0.42, 0.34), (0.66, 0.32)]  # the top of the 5, not connected with the rest


def five(height: int = 240, width: int = 240, stroke: float = 0.03) -> np.ndarray:
    """A 5 of two strokes that do not touch: float32 [H, W], 1 = ink, with soft edges."""
    image = Image.new("L", (4 * width, 4 * height), 0)
    for line in (FIVE, BAR):
        points = [(4 * width * x, 4 * height * y) for x, y in line]
        ImageDraw.Draw(image).line(points, fill=255, width=round(4 * height * stroke), joint="curve")
    return np.asarray(image.resize((width, height), Image.Resampling.BOX), np.float32) / 255


def photo(ink: np.ndarray, background: float = 200, contrast: float = 100, noise: float = 3) -> np.ndarray:
    """Dark ink on background, with a camera's noise."""
    random = np.random.default_rng(0).normal(0, noise, ink.shape)
    return np.clip(background - contrast * ink + random, 0, 255).astype(np.float32)


def ramp(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return y.astype(np.float32), x.astype(np.float32)


def assert_finds(gray: np.ndarray, ink: np.ndarray) -> None:
    """Assert that the ink found is the ink drawn, with the bar, and nothing else."""
    found = find_digit(gray).ink
    assert found.shape == gray.shape
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[ink > 0.9].mean() > 0.85
    assert (found[ndimage.binary_dilation(ink > 0, iterations=6) == 0] == 0).all()


def test_what_is_much_paler_than_the_strongest_ink_is_no_ink() -> None:
    gray = 255 - 200 * five()
    gray[20:40, 20:26] = 240  # enough contrast for ink, if it were alone
    thresholded = threshold_contrast(gray).thresholded
    assert not thresholded[:60, :60].any()
    assert thresholded.any()
    alone = np.where(gray < 230, 255, gray).astype(np.float32)
    assert threshold_contrast(alone).thresholded[20:40, 20:26].any()


@pytest.mark.parametrize("side", [60, 240, 500])
@pytest.mark.parametrize("stroke", [0.016, 0.03, 0.08])
@pytest.mark.parametrize("invert", [False, True])
def test_a_drawing(side: int, stroke: float, invert: bool) -> None:
    ink = five(side, side, stroke)
    assert_finds(255 * ink if invert else 255 - 255 * ink, ink)


@pytest.mark.parametrize("invert", [False, True])
def test_a_photo_with_a_noisy_background(invert: bool) -> None:
    gray = photo(five(), noise=6)
    assert_finds(255 - gray if invert else gray, five())


@pytest.mark.parametrize("contrast", [8, 20])
def test_pale_ink_on_a_plain_background(contrast: float) -> None:
    assert_finds(255 - contrast * five(), five())


def test_pencil_in_a_photo() -> None:
    assert_finds(photo(five(), contrast=30, noise=2), five())


@pytest.mark.parametrize("invert", [False, True])
def test_a_lamp_on_one_side_and_dark_corners(invert: bool) -> None:
    y, x = ramp((240, 240))
    gray = photo(five()) * (0.8 + 0.2 * x - 0.15 * (x * x + y * y))
    assert_finds(255 - gray if invert else gray, five())


def test_the_shadow_of_a_hand() -> None:
    y, x = ramp((240, 240))
    shadow = 1 / (1 + np.exp(-(x + 0.3 * y - 0.5) * 20))
    assert_finds((photo(five(), contrast=130) * (1 - 0.25 * shadow)).astype(np.float32), five())


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("wide", [4, 30])
def test_the_edge_of_the_page(side: int, wide: int) -> None:
    gray = np.rot90(photo(five()), side).copy()
    gray[:wide] = 40
    assert_finds(np.rot90(gray, -side).copy(), five())


def test_pencil_beside_a_dark_edge() -> None:
    gray = photo(five(), contrast=30, noise=1.5)
    gray[:, :10] = 20
    assert_finds(gray, five())


def test_a_speck_beside_the_digit() -> None:
    gray = photo(five())
    gray[172:176, 176:180] = 30
    assert_finds(gray, five())


def test_a_page_on_a_dark_desk() -> None:
    gray = np.pad(photo(five()), 50, constant_values=50)
    assert_finds(gray, np.pad(five(), 50))


@pytest.mark.parametrize("tone", [255, 0])
def test_a_page_on_a_square_of_another_tone(tone: float) -> None:
    gray = np.full((360, 360), tone, np.float32)
    gray[60:300, 60:300] = photo(five(), background=170)
    assert_finds(gray, np.pad(five(), 60))


@pytest.mark.parametrize("inset", [0, 8])
def test_a_frame(inset: int) -> None:
    image = Image.fromarray(255 - 255 * five(480, 480))
    framed = image.convert("L")
    ImageDraw.Draw(framed).rectangle((inset, inset, 479 - inset, 479 - inset), outline=30, width=6)
    assert_finds(np.asarray(framed, np.float32), five(480, 480))


def test_another_digit_that_the_border_cuts() -> None:
    ink = five()
    ImageDraw.Draw(other := Image.new("L", (240, 240))).ellipse((-25, 80, 15, 170), outline=255, width=7)
    assert_finds(photo(np.maximum(ink, np.asarray(other, np.float32) / 255)), ink)


def test_specks() -> None:
    gray = photo(five())
    for y, x in [(10, 10), (230, 40), (20, 220), (200, 210), (120, 30)]:
        gray[y : y + 4, x : x + 4] = 30
    assert_finds(gray, five())


@pytest.mark.parametrize("squared", [False, True])
def test_ruled_and_squared_backgrounds(squared: bool) -> None:
    rules = np.zeros((240, 240), np.float32)
    rules[5::24] = 1
    if squared:
        rules[:, 5::24] = 1
    assert_finds(photo(np.maximum(five(), 0.25 * rules)), five())


def test_a_stroke_with_gaps() -> None:
    ink = five()
    ink[130:133] = 0
    ink[170:173] = 0
    assert_finds(photo(ink), ink)


@pytest.mark.parametrize("tone", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (28, 28), (200, 100)])
def test_a_blank_image_has_no_ink(shape: tuple[int, int], tone: float) -> None:
    assert not find_digit(np.full(shape, tone, np.float32)).ink.any()


def test_a_blank_page_in_uneven_light_has_no_ink() -> None:
    y, x = ramp((200, 300))
    assert not find_digit(180 + 40 * x - 30 * y * y).ink.any()


@settings(max_examples=50)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.3, 0.9]))
def test_any_image_gives_ink_in_range(height: int, width: int, seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    gray = np.where(random.random((height, width)) < share, random.uniform(0, 255, (height, width)), 250)
    ink = find_digit(gray.astype(np.float32)).ink
    assert ink.shape == gray.shape
    assert np.isfinite(ink).all()
    assert ink.min() >= 0
    assert ink.max() <= 1


@settings(max_examples=100)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_labels_equal_scipys(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    theirs, count = ndimage.label(mask, np.ones((3, 3)))
    ours = label(mask)
    assert ours.max() == count
    pairs = {(int(a), int(b)) for a, b in zip(ours.ravel(), theirs.ravel(), strict=True)}
    assert (
        len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    )  # the same components, numbered differently


@settings(max_examples=50)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 25), st.integers(0, 2**32 - 1))
def test_closing_equals_scipys(height: int, width: int, window: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    size = window | 1
    largest = ndimage.maximum_filter(values, size, mode="constant", cval=-np.inf)
    expected = ndimage.minimum_filter(largest, size, mode="constant", cval=np.inf)
    np.testing.assert_array_equal(_closing(values, window), expected)


def test_the_illumination_is_fitted_despite_the_ink() -> None:
    y, x = ramp((200, 260))
    light = 180 + 20 * x - 30 * y + 10 * x * y - 15 * y * y
    gray = light - 90 * five(200, 260, 0.05)
    assert np.abs(_fit_illumination(gray, float(np.median(gray))) - light).max() < 4
    assert np.abs(_fit_illumination(gray, float(np.median(gray))) - light).mean() < 1


def test_contrast_is_measured_from_the_background() -> None:
    measured = measure_contrast(photo(five(), contrast=90, noise=4))
    assert measured.contrast[five() == 1].mean() == pytest.approx(90, abs=4)
    assert measured.noise == pytest.approx(4, rel=0.4)


def test_only_an_added_margin_is_removed() -> None:
    page = photo(five())
    with_margin = np.pad(page, ((30, 30), (0, 0)), constant_values=255)
    assert without_margin(with_margin) == (slice(30, 270), slice(None))
    assert without_margin(page) == (slice(None), slice(None))
    assert without_margin(255 - 255 * five()) == (slice(None), slice(None))
    bar = np.full((40, 40), 255, np.float32)
    bar[:5] = 0  # the top of a 7, cropped tightly: there is no margin on the opposite side
    assert without_margin(bar) == (slice(None), slice(None))


def test_a_single_component_is_the_digit_wherever_it_is() -> None:
    for place in (slice(0, 4), slice(20, 24), slice(36, 40)):
        ink = np.zeros((40, 40), np.float32)
        ink[place] = 1
        np.testing.assert_array_equal(find_digit_components(ink).mask, ink > 0)
