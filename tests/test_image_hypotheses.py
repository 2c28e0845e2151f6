"""What the image code proposes, for images whose digit is known."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_cli.image.hypotheses import (
    SMALL,
    TURNS,
    WORDS,
    Hypothesis,
    Kind,
    all_hypotheses,
    first_hypothesis,
)
from cnn_cli.image.normalize import normalize_digit, place


def digit(height: int = 20, width: int = 12) -> np.ndarray:
    """Return a thick L that fills its array, float32 [height, width], 0 = background, 1 = ink."""
    ink = np.zeros((height, width), np.float32)
    ink[:, : width // 3] = 1
    ink[-height // 4 :] = 1
    return ink


def proposed(gray: np.ndarray) -> dict[Kind, Hypothesis]:
    return {each.kind: each for each in all_hypotheses(gray)}


def inked(hypothesis: Hypothesis) -> np.ndarray:
    return hypothesis.digit.pixels.astype(int)


def test_every_kind_has_words() -> None:
    assert set(WORDS) == set(Kind)


@pytest.mark.parametrize(("background", "ink"), [(0, 255), (255, 0), (90, 160), (160, 90)])
def test_a_digit_that_fills_its_image_is_among_the_hypotheses(background: int, ink: int) -> None:
    """The rarer tone is the background here, so that a rule about tones is wrong."""
    truth = np.ones((20, 20), np.float32)
    truth[6:12, 6:14] = 0
    gray = background + (ink - background) * truth
    kind = Kind.WHOLE_LIGHT if ink > background else Kind.WHOLE_DARK
    whole = proposed(gray)[kind]
    np.testing.assert_allclose(inked(whole), normalize_digit(truth).pixels, atol=2)
    assert whole.ink_is_light == (ink > background)


def test_the_two_whole_images_are_each_others_negatives() -> None:
    gray = 255 * np.pad(digit(), 4)
    found = proposed(gray)
    np.testing.assert_allclose(found[Kind.WHOLE_LIGHT].ink, 1 - found[Kind.WHOLE_DARK].ink, atol=1e-6)


def test_an_image_of_mnist_is_proposed_as_it_is() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[5:25, 9:17] = np.random.default_rng(0).integers(100, 256, (20, 8))
    image[10:14, 11:15] = 255  # over 2 % of the pixels are full ink, as in MNIST
    found = proposed(image.astype(np.float32))
    np.testing.assert_allclose(inked(found[Kind.AS_IS]), image, atol=1)
    assert inked(found[Kind.INVERTED])[0, 0] == 255


@pytest.mark.parametrize(("side", "small"), [(SMALL, True), (SMALL + 1, False)])
def test_only_a_small_image_is_proposed_as_it_is(side: int, small: bool) -> None:
    gray = np.zeros((side, side), np.float32)
    gray[10:30, 10:30] = 255
    assert (Kind.AS_IS in proposed(gray)) == small


def test_placing_scales_only_what_does_not_fit_and_keeps_the_middle() -> None:
    ink = np.random.default_rng(1).random((28, 28)).astype(np.float32)
    assert np.array_equal(place(ink).pixels, np.rint(ink * 255))
    wide = place(np.ones((7, 14), np.float32))
    assert wide.scale == 2
    assert wide.corner == (0, 7)
    assert (wide.pixels[7:21] == 255).all()
    assert not wide.pixels[:7].any()
    assert not wide.pixels[21:].any()


@pytest.mark.parametrize("kind", TURNS)
def test_a_turned_digit_is_the_found_one_after_pillow_turned_the_image(kind: Kind) -> None:
    """Compared with finding the digit in an image that Pillow turned back."""
    image = Image.new("L", (90, 120), 255)
    draw = ImageDraw.Draw(image)
    draw.line([(20, 20), (70, 20), (40, 100)], fill=0, width=10)
    turn = {
        Kind.TURNED_90: Image.Transpose.ROTATE_270,  # Pillow counts counterclockwise
        Kind.TURNED_180: Image.Transpose.ROTATE_180,
        Kind.TURNED_270: Image.Transpose.ROTATE_90,
    }[kind]
    expected = first_hypothesis(np.asarray(image.transpose(turn), np.float32))
    assert expected is not None
    turned = proposed(np.asarray(image, np.float32))[kind]
    np.testing.assert_allclose(inked(turned), inked(expected), atol=3)


def test_a_stroke_along_two_sides_is_kept_without_the_cut_of_the_margin() -> None:
    """A 1 over the whole height of a narrow image looks like a margin at both sides of a bright middle."""
    gray = np.full((40, 30), 255, np.float32)
    gray[:, :8] = gray[:, -8:] = 200
    gray[10:30, 13:17] = 0
    found = proposed(gray)
    assert Kind.WITH_MARGIN in found
    assert found[Kind.WITH_MARGIN].found is not None
    assert found[Kind.WITH_MARGIN].found.contrast.contrast.shape == gray.shape


def test_the_grain_of_paper_is_no_ink_of_a_whole_image() -> None:
    gray = np.full((40, 30), 200, np.float32)
    gray[::2, ::2] = 192  # 8 of a contrast of 100
    gray[10:30, 10:15] = 100
    ink = proposed(gray)[Kind.WHOLE_DARK].ink
    assert set(np.unique(ink).tolist()) == {0, 1}


@pytest.mark.parametrize("tone", [0.0, 128.0, 255.0])
def test_a_single_tone_has_no_hypothesis(tone: float) -> None:
    assert not proposed(np.full((30, 30), tone, np.float32))


@pytest.mark.parametrize("margin", [0, 30])
def test_the_main_component_leaves_out_a_period_beside_the_digit(margin: int) -> None:
    """Also where a margin of another tone, above and below, was cut off before."""
    alone, both = np.zeros((100, 100), np.float32), np.zeros((100, 100), np.float32)
    alone[30:70, 30:54] = both[30:70, 30:54] = digit(40, 24)
    both[64:70, 58:64] = 1
    noise = np.random.default_rng(0).normal(0, 2, both.shape)
    gray = np.pad(200 - 100 * both + noise, ((margin, margin), (0, 0)), constant_values=255)
    found = proposed(gray.astype(np.float32))
    rows = slice(margin, margin + 100)
    for kind, truth in ((Kind.FOUND, both), (Kind.MAIN, alone)):
        assert found[kind].ink.shape == gray.shape
        np.testing.assert_array_equal(found[kind].ink[rows] > 0.5, truth > 0.5)
        assert not found[kind].ink[:margin].any()
        assert found[kind].share == pytest.approx(truth.sum() / both.sum(), abs=0.01)


def test_one_component_is_not_proposed_twice() -> None:
    assert Kind.MAIN not in proposed(200 - 100 * np.pad(digit(40, 24), 30))


def test_the_words_of_the_answers_in_json() -> None:
    found = {"found", "found_with_margin", "main_component", "turned_90", "turned_180", "turned_270"}
    assert {str(kind) for kind in Kind} == found | {"whole_dark", "whole_light", "as_is", "inverted"}
