"""Images of several digits: components are found, sorted into rows, cut and classified."""

import dataclasses
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from cnn_cli.reading.segments import Segment, best_path, evidence
from helpers import rows as pages
from PIL import Image, ImageDraw

from cnn_cli.checkpoint.choose import shipped
from cnn_cli.data.idx import parse
from cnn_cli.errors import DataError
from cnn_cli.image.cuts import find_cuts, piece
from cnn_cli.image.rows import find_rows, merge_close
from cnn_cli.image.text_components import Component, find_components, merge
from cnn_cli.reading.image_text import ImageText
from cnn_cli.reading.predict import predict
from cnn_cli.reading.reader import Reader, open_reader
from cnn_cli.reading.sources import ImageSource
from cnn_cli.reading.text import read_texts


@pytest.fixture(scope="module")
def digits(mnist_folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's training images uint8 [N, 28, 28] and their labels."""
    names = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
    images, labels = (
        parse(gzip.decompress((mnist_folder / f"{name}.gz").read_bytes()), name) for name in names
    )
    return images, labels


@pytest.fixture(scope="module")
def reader() -> Reader:
    """Return the reader of the network that ships."""
    return open_reader([shipped()])


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def texts(reader: Reader, images: list[np.ndarray]) -> list[ImageText]:
    results = list(read_texts(reader, [ImageSource("image", png(pixels)) for pixels in images]))
    assert all(isinstance(result, ImageText) for result in results), results
    return results


def accuracy(reader: Reader, strings: list[pages.Page]) -> float:
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


def test_strings_with_natural_spacing(reader, digits) -> None:
    strings = pages.strings(*digits, 20, 3)
    assert accuracy(reader, strings) >= 0.9  # benchmarks/lines.py has the figure; 0.9 leaves room for chance


@pytest.mark.slow
def test_strings_that_touch(reader, digits) -> None:
    strings = pages.strings(*digits, 16, 4, touching=True)
    assert accuracy(reader, strings) >= 0.45  # benchmarks/lines.py has the figure


def test_each_digit_has_its_box(reader, digits) -> None:
    strings = pages.strings(*digits, 6, 5)
    for text, page in zip(texts(reader, [page.image for page in strings]), strings, strict=True):
        if text.text == page.text:
            height = page.image.shape[0]
            for digit, box in zip(text.digits, page.boxes, strict=True):
                assert np.allclose(digit.box, box, atol=max(3, 0.08 * height))
                assert 0 < digit.confidence <= 1
                assert digit.row == 0


@pytest.mark.parametrize("slope", [-0.1, 0, 0.1])
def test_rows_are_read_from_top_to_bottom(reader, digits, slope) -> None:
    page = page_of(["31415", "926535", "8979"], digits, np.random.default_rng(6), slope=slope)
    (text,) = texts(reader, [page.image])
    rows = text.text.split("\n")
    assert [len(row) for row in rows] == [5, 6, 4]
    assert np.mean([a == b for a, b in zip(text.text, page.text, strict=True)]) > 0.85
    assert [digit.row for digit in text.digits] == [0] * 5 + [1] * 6 + [2] * 4


def test_an_image_of_one_digit_gives_the_answer_of_predict(reader, digits) -> None:
    images = digits[0][:30]
    images = [
        ImageSource(str(i), png(255 - np.kron(image, np.ones((3, 3), np.uint8))))
        for i, image in enumerate(images)
    ]
    for one, text in zip(predict(reader, images), read_texts(reader, images), strict=True):
        assert text.text == one.label
        # The batch size affects rounding.
        assert text.digits[0].confidence == pytest.approx(one.confidence, abs=1e-6)


def test_images_of_one_digit_that_people_made(reader, handdrawn_folder) -> None:
    """Edges, shadows, specks and gaps make no second digit: at most 1 of 20 texts differs from `predict`."""
    found = sorted(path for path in handdrawn_folder.iterdir() if path.suffix in (".png", ".jpg", ".jpeg"))
    paths = found[::6]
    images = [ImageSource(path.name, path) for path in paths]
    pairs = zip(predict(reader, images), read_texts(reader, images), strict=True)
    assert sum(one.label != text.text for one, text in pairs) <= 1


def test_confidences_are_calibrated(reader, digits) -> None:
    """The temperature changes the confidences and not the text, as in `predict`."""
    strings = pages.strings(*digits, 3, 6)
    (checkpoint,) = reader.checkpoints
    cold, hot = (Reader([dataclasses.replace(checkpoint, temperature=t)]) for t in (0.5, 5.0))
    for page in strings:
        (confident,), (unsure,) = (
            list(read_texts(one, [ImageSource("page", png(page.image))])) for one in (cold, hot)
        )
        assert confident.text == unsure.text
        pairs = zip(confident.digits, unsure.digits, strict=True)
        assert all(more.confidence > less.confidence for more, less in pairs)


def test_a_blank_image_is_an_error_in_its_place(reader) -> None:
    (result,) = read_texts(reader, [ImageSource("blank", png(np.full((80, 300), 230, np.uint8)))])
    assert "blank: no ink found" in str(result)


# ---- finding components and rows


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
        for row in find_rows(find_components(gray))
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


def test_wavy_rows_are_separated() -> None:
    def shape(left: int, top: int) -> tuple[int, int, int, int]:
        moved = top + round(45 * np.sin(left / 90))
        return left, moved, left + 10, moved + 50

    rows = [[shape(left, top) for left in range(20, 580, 28)] for top in (80, 160, 240)]
    assert boxes(drawing((600, 360), *(each for row in rows for each in row))) == rows


def test_components_with_a_small_gap_are_merged() -> None:
    components = [Component(np.ones((50, 10), np.float32), left, 0) for left in (0, 13, 60)]
    assert [(component.left, component.right) for component in merge_close(components, 50)] == [
        (0, 23),
        (60, 70),
    ]


def test_merged_components_keep_all_their_ink() -> None:
    one, other = (
        Component(np.full((4, 6), 0.5, np.float32), 10, 20),
        Component(np.ones((3, 3), np.float32), 14, 22),
    )
    both = merge([one, other])
    assert (both.left, both.top, both.right, both.bottom) == (10, 20, 17, 25)
    assert both.ink.sum() == 9 + 0.5 * (24 - 4)


# ---- cutting


def test_a_slanted_gap_is_found_and_cut_without_ink() -> None:
    ink = np.zeros((40, 60), np.float32)
    for row in range(40):
        ink[row, 20 - row // 2 : 25 - row // 2] = ink[row, 40 - row // 2 : 45 - row // 2] = 1
    component = Component(ink, 7, 3)
    best = min(find_cuts(component, 40), key=lambda cut: cut.ink)
    assert best.ink < 0.5 * 40 * 0.5
    cut = min((cut for cut in find_cuts(component, 40) if 18 < cut.columns[20] < 30), key=lambda cut: cut.ink)
    left, right = piece(component, None, cut), piece(component, cut, None)
    assert left is not None
    assert right is not None
    assert left.ink.sum() == pytest.approx(200)
    assert right.ink.sum() == pytest.approx(200)
    assert (left.left, right.right) == (7 + 1, 7 + 45)


def segment(start: int, end: int) -> Segment:
    return Segment(start, end, (0, 0, 1, 1), 0.5, 1.0, 0.0, False, np.zeros((28, 28), np.uint8))


def test_the_best_path_covers_the_component() -> None:
    segments = [segment(0, 3), segment(0, 1), segment(1, 3), segment(1, 2), segment(2, 3), segment(0, 2)]
    assert best_path(segments, [-9.0, 2.0, 1.0, 5.0, -1.0, 2.5], list("012345")) == [1, 3, 4]
    assert best_path(segments, [9.0, 2.0, 1.0, 5.0, -1.0, 2.5], list("012345")) == [0]


def test_paths_with_the_same_text_add_up() -> None:
    segments = [segment(0, 1), segment(1, 3), segment(0, 2), segment(2, 3), segment(0, 3)]
    assert best_path(segments, [1.0, 1.0, 1.0, 1.0, 2.2], ["1", "7", "1", "7", "4"]) == [0, 1]
    assert best_path(segments, [1.0, 1.0, 1.0, 1.0, 2.2], ["1", "7", "3", "8", "4"]) == [4]


def test_evidence_does_not_depend_on_an_offset_of_the_logits() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 10))
    assert evidence(logits + 7) == pytest.approx(evidence(logits))
    assert evidence(2 * logits).min() > evidence(0 * logits).max()


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


def test_boxes_are_in_pixels_of_the_upright_image(reader, photo) -> None:
    path, expected = photo
    (result,) = read_texts(reader, [ImageSource("photo", path)])
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
def test_digits_below_the_threshold_are_not_confident(reader, photo, min_confidence) -> None:
    (result,) = read_texts(reader, [ImageSource("photo", photo[0])], min_confidence)
    assert len(result.digits) == 7
    for digit in result.digits:
        assert digit.confident == (digit.confidence >= min_confidence)


def test_a_broken_image_does_not_stop_the_others(reader, photo, tmp_path) -> None:
    (tmp_path / "broken.png").write_text("no image")
    images = [ImageSource("broken", tmp_path / "broken.png"), ImageSource("photo", photo[0])]
    error, result = read_texts(reader, images)
    assert isinstance(error, DataError)
    assert "broken: is not an image" in error.message
    assert result.text == photo[1]


def test_a_network_for_photos_is_an_error(reader, photo) -> None:
    (checkpoint,) = reader.checkpoints
    preprocessing = dataclasses.replace(checkpoint.preprocessing, kind="photo")
    of_photos = Reader([dataclasses.replace(checkpoint, preprocessing=preprocessing)])
    with pytest.raises(DataError, match="needs a network for digits"):
        list(read_texts(of_photos, [ImageSource("photo", photo[0])]))
