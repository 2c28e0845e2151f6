"""The explanation of an image's preprocessing, compared with drawings whose properties are known."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_cli.image.components import Reason
from cnn_cli.image.explanation import MAX_IGNORED, Explanation, sentences
from cnn_cli.image.preprocess import InputFormat, network_input, preprocess


def drawing(
    size: tuple[int, int] = (300, 200), ink: int = 0, background: int = 255, width: int = 12
) -> Image.Image:
    """A stroke from (100, 40) to (160, 150): its box is known up to its width."""
    image = Image.new("L", size, background)
    ImageDraw.Draw(image).line([(100, 40), (160, 150)], fill=ink, width=width)
    return image


def explanation_of(image: Image.Image, kind: str = "PNG", **options: object) -> Explanation:
    file = io.BytesIO()
    image.save(file, kind, **options)
    result = network_input(file.getvalue(), InputFormat(), name="x", explain=True)
    np.testing.assert_array_equal(result.pixels, preprocess(file.getvalue(), InputFormat(), name="x"))
    assert result.explanation is not None
    return result.explanation


def test_a_plain_drawing() -> None:
    facts = explanation_of(drawing())
    assert (facts.size, facts.mode, facts.turned, facts.background) == ((300, 200), "L", None, None)
    assert (facts.ink_is_light, facts.contrast, facts.noise, facts.unevenness) == (False, 255, 0, 0)
    assert facts.ink == pytest.approx((100, 40, 160, 150), abs=7)
    assert (facts.components, facts.ignored, facts.margin) == (1, (), None)
    assert facts.scale == pytest.approx(20 / (facts.ink[3] - facts.ink[1]), rel=0.02)
    assert facts.stroke == pytest.approx(12 * facts.scale, rel=0.25)
    assert not facts.thickened


def test_polarity_and_contrast() -> None:
    facts = explanation_of(drawing(ink=200, background=20))
    assert facts.ink_is_light
    assert facts.contrast == 180


@pytest.mark.parametrize("factor", [1, 4, 10])
def test_boxes_are_in_the_originals_pixels(factor: int) -> None:
    large = drawing().resize((300 * factor, 200 * factor))
    facts = explanation_of(large)
    assert facts.size == large.size
    assert facts.ink == pytest.approx([factor * end for end in (100, 40, 160, 150)], abs=7 * factor)
    assert facts.scale == pytest.approx(explanation_of(drawing()).scale / factor, rel=0.03)


def test_the_orientation_that_was_undone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    facts = explanation_of(drawing().transpose(Image.Transpose.ROTATE_90), exif=exif)
    assert facts.turned == "turned by 90 degrees clockwise"
    assert facts.size == (300, 200)
    assert facts.ink == pytest.approx((100, 40, 160, 150), abs=7)


@pytest.mark.parametrize(("ink", "background"), [(0, 255), (255, 0)])
def test_the_background_behind_transparency(ink: int, background: int) -> None:
    shape = drawing(ink=255, background=0)
    facts = explanation_of(Image.merge("LA", (Image.new("L", shape.size, ink), shape)))
    assert facts.background == background


def test_a_hairline_is_thickened() -> None:
    facts = explanation_of(drawing(width=2))
    assert facts.thickened
    assert facts.stroke < 1


def test_ignored_components_are_listed_with_their_reason() -> None:
    image = drawing()
    draw = ImageDraw.Draw(image)
    draw.rectangle((200, 60, 205, 65), fill=0)  # a speck
    draw.rectangle((0, 0, 6, 199), fill=0)  # the page's edge
    draw.line([(270, 60), (272, 140)], fill=0, width=10)  # another digit
    facts = explanation_of(image)
    reasons = {component.reason: component.box for component in facts.ignored}
    assert reasons[Reason.SPECK] == pytest.approx((200, 60, 206, 66), abs=4)
    assert reasons[Reason.OUTER] == pytest.approx((0, 0, 7, 200), abs=4)
    assert reasons[Reason.FAR] == pytest.approx((265, 60, 277, 140), abs=5)
    assert facts.ink == pytest.approx((100, 40, 160, 150), abs=7)


def test_hundreds_of_specks_are_not_all_listed() -> None:
    image = drawing()
    for x in range(4, 300, 12):
        for y in (5, 185):
            image.putpixel((x, y), 0)
    assert len(explanation_of(image).ignored) == MAX_IGNORED


def test_a_margin_that_is_cut_off() -> None:
    page = Image.new("L", (400, 400), 255)
    page.paste(drawing((300, 300), background=180, ink=30), (50, 50))
    facts = explanation_of(page)
    assert facts.margin == (50, 50, 350, 350)
    assert facts.ink == pytest.approx((150, 90, 210, 200), abs=7)


def test_light_and_noise_of_a_photo() -> None:
    random = np.random.default_rng(0)
    slope = np.linspace(-20, 20, 300)[None]
    gray = np.asarray(drawing(background=200, ink=60), np.float32) + slope + random.normal(0, 3, (200, 300))
    facts = explanation_of(Image.fromarray(np.clip(gray, 0, 255).astype(np.uint8)))
    assert facts.unevenness == pytest.approx(40, abs=8)
    assert facts.noise == pytest.approx(3, rel=0.5)
    assert facts.contrast == pytest.approx(140, rel=0.1)


def test_sentences_state_every_decision() -> None:
    text = "\n".join(sentences(explanation_of(drawing())))
    for piece in (
        "300x200 pixels",
        "dark ink on light",
        "contrast 255 of 255",
        "x 9",
        "1 component",
        "scaled by",
        "centered",
    ):
        assert piece in text


def test_a_photo_has_no_explanation() -> None:
    file = io.BytesIO()
    drawing().save(file, "PNG")
    assert (
        network_input(file.getvalue(), InputFormat("photo", 16, 1), name="x", explain=True).explanation
        is None
    )
