"""Images of several digits, read by the network that ships."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from helpers import rows as pages
from PIL import Image

from cnn_cli.checkpoint.choose import shipped
from cnn_cli.errors import DataError
from cnn_cli.reading.image_text import ImageText
from cnn_cli.reading.line_reader import LineReader, open_line_reader
from cnn_cli.reading.sources import ImageSource
from cnn_cli.reading.text import read_texts


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def texts(reader: LineReader, images: list[np.ndarray]) -> list[ImageText]:
    results = list(read_texts(reader, [ImageSource("image", png(pixels)) for pixels in images]))
    assert all(isinstance(result, ImageText) for result in results), results
    return results


def accuracy(reader: LineReader, strings: list[pages.Page]) -> float:
    results = texts(reader, [page.image for page in strings])
    return float(np.mean([result.text == page.text for result, page in zip(results, strings, strict=True)]))


def page_of(numbers: list[str], digits, random: np.random.Generator, *, slope: float = 0) -> pages.Page:
    images, labels = digits
    lines = [
        pages.line(
            [images[random.choice(np.flatnonzero(labels == int(digit)))] for digit in number],
            number,
            random,
            scale=2,
            spacing=(4, 8),
            slope=slope,
        )
        for number in numbers
    ]
    return pages.page(lines, random, scale=2)


# ---- whole images


def test_strings_with_natural_spacing(line_reader, digits) -> None:
    strings = pages.strings(*digits, 20, 3)
    assert (
        accuracy(line_reader, strings) >= 0.9
    )  # benchmarks/lines.py has the figure; 0.9 leaves room for chance


@pytest.mark.slow
def test_strings_that_touch(line_reader, digits) -> None:
    strings = pages.strings(*digits, 16, 4, touching=True)
    assert accuracy(line_reader, strings) >= 0.45  # benchmarks/lines.py has the figure


def test_each_digit_has_its_box(line_reader, digits) -> None:
    strings = pages.strings(*digits, 6, 5)
    for text, page in zip(texts(line_reader, [page.image for page in strings]), strings, strict=True):
        if text.text == page.text:
            height = page.image.shape[0]
            for digit, box in zip(text.digits, page.boxes, strict=True):
                assert np.allclose(digit.box, box, atol=max(3, 0.08 * height))
                assert 0 < digit.confidence <= 1
                assert digit.row == 0


@pytest.mark.parametrize("slope", [-0.1, 0, 0.1])
def test_rows_are_read_from_top_to_bottom(line_reader, digits, slope) -> None:
    page = page_of(["31415", "926535", "8979"], digits, np.random.default_rng(6), slope=slope)
    (text,) = texts(line_reader, [page.image])
    rows = text.text.split("\n")
    assert [len(row) for row in rows] == [5, 6, 4]
    assert np.mean([a == b for a, b in zip(text.text, page.text, strict=True)]) > 0.85
    assert [digit.row for digit in text.digits] == [0] * 5 + [1] * 6 + [2] * 4


def test_confidences_are_calibrated(line_reader, digits) -> None:
    """The temperature changes the confidences and not the text, as in `predict`."""
    strings = pages.strings(*digits, 3, 6)
    cold, hot = (LineReader(dataclasses.replace(line_reader.checkpoint, temperature=t)) for t in (0.5, 2.0))
    for page in strings:
        (confident,), (unsure,) = (
            list(read_texts(one, [ImageSource("page", png(page.image))])) for one in (cold, hot)
        )
        assert confident.text == unsure.text
        pairs = zip(confident.digits, unsure.digits, strict=True)
        assert all(more.confidence > less.confidence for more, less in pairs)


def test_a_blank_image_is_an_error_in_its_place(line_reader) -> None:
    (result,) = read_texts(line_reader, [ImageSource("blank", png(np.full((80, 300), 230, np.uint8)))])
    assert "blank: no digits" in str(result)


# ---- min_confidence, errors, photos


@pytest.fixture
def photo(tmp_path: Path, digits) -> tuple[Path, str]:
    """Write two rows, photographed with the camera turned by 90 degrees; return the file and its text."""
    page = page_of(["7071", "142"], digits, np.random.default_rng(1))
    image = Image.fromarray(page.image).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "photo.png", exif=exif)
    return tmp_path / "photo.png", page.text


def test_boxes_are_in_pixels_of_the_upright_image(line_reader, photo) -> None:
    path, expected = photo
    (result,) = read_texts(line_reader, [ImageSource("photo", path)])
    assert result.text == expected
    with Image.open(path) as image:
        height, width = image.size  # the stored image is turned
        upright = np.asarray(image.transpose(Image.Transpose.ROTATE_270))
    for digit in result.digits:
        left, top, right, bottom = digit.box
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert np.ptp(upright[top:bottom, left:right]) > 60  # there is ink in the box


@pytest.mark.parametrize("min_confidence", [0.0, 0.9, 1.0])
def test_digits_below_the_threshold_are_not_confident(line_reader, photo, min_confidence) -> None:
    (result,) = read_texts(line_reader, [ImageSource("photo", photo[0])], min_confidence)
    assert len(result.digits) == 7
    for digit in result.digits:
        assert digit.confident == (digit.confidence >= min_confidence)


def test_a_broken_image_does_not_stop_the_others(line_reader, photo, tmp_path) -> None:
    (tmp_path / "broken.png").write_text("no image")
    images = [ImageSource("broken", tmp_path / "broken.png"), ImageSource("photo", photo[0])]
    error, result = read_texts(line_reader, images)
    assert isinstance(error, DataError)
    assert "broken: is not an image" in error.message
    assert result.text == photo[1]


def test_a_network_for_single_images_is_refused() -> None:
    with pytest.raises(DataError, match=r"reader\.safetensors: reads single images, not lines of digits"):
        open_line_reader([shipped()])


def test_several_networks_are_refused() -> None:
    with pytest.raises(DataError, match="lines are read by one network"):
        open_line_reader([shipped("line"), shipped("line")])
