"""Many digits in one image: what is written is found, put into rows, cut and read."""

import dataclasses
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from helpers import rows as written
from helpers.cli import cnn
from PIL import Image, ImageDraw

from cnn_cli.data.idx import parse
from cnn_cli.checkpoint import file as checkpoints
from cnn_cli.image.cuts import find_cuts, piece
from cnn_cli.image.rows import find_rows, near_together
from cnn_cli.image.text_components import Component, find_components, joined
from cnn_cli.checkpoint.choose import shipped
from cnn_cli.reading.text import Text, read_texts
from cnn_cli.reading.sources import ImageSource
from cnn_cli.reading.predict import predict
from cnn_cli.reading.segments import Segment, best_path, evidence

SHIPPED = shipped()
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def digits(mnist_folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """MNIST's training images uint8 [N, 28, 28] and their labels."""
    names = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
    images, labels = (
        parse(gzip.decompress((mnist_folder / f"{name}.gz").read_bytes()), name) for name in names
    )
    return images, labels


@pytest.fixture(scope="module")
def shipped() -> checkpoints.Checkpoint:
    return checkpoints.read(SHIPPED)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def texts(network: checkpoints.Checkpoint, images: list[np.ndarray]) -> list[Text]:
    results = list(read_texts(network, [ImageSource("image", png(pixels)) for pixels in images]))
    assert all(isinstance(result, Text) for result in results), results
    return results


def share_right(network: checkpoints.Checkpoint, pages: list[written.Written]) -> float:
    read = texts(network, [page.image for page in pages])
    return float(np.mean([text.text == page.text for text, page in zip(read, pages, strict=True)]))


def page_of(numbers: list[str], digits, random: np.random.Generator, *, slope: float = 0) -> written.Written:
    images, labels = digits
    lines = [
        written.line(
            [images[random.choice(np.flatnonzero(labels == int(digit)))] for digit in number],
            number,
            random,
            scale=2,
            spacing=(4, 8),
            slope=slope,
        )
        for number in numbers
    ]
    return written.page(lines, random, scale=2)


# ---- whole images


def test_strings_with_natural_spacing(shipped, digits) -> None:
    pages = written.strings(*digits, 40, 3)
    assert share_right(shipped, pages) >= 0.9  # benchmarks/many.py has the figure; 0.9 leaves room for chance


def test_strings_that_touch(shipped, digits) -> None:
    pages = written.strings(*digits, 16, 4, touching=True)
    assert share_right(shipped, pages) >= 0.45  # benchmarks/many.py has the figure


def test_each_digit_has_its_box(shipped, digits) -> None:
    pages = written.strings(*digits, 10, 5)
    for text, page in zip(texts(shipped, [page.image for page in pages]), pages, strict=True):
        if text.text == page.text:
            height = page.image.shape[0]
            for digit, box in zip(text.digits, page.boxes, strict=True):
                assert np.allclose(digit.box, box, atol=max(3, 0.08 * height))
                assert 0 < digit.confidence <= 1
                assert digit.row == 0


@pytest.mark.parametrize("slope", [-0.1, 0, 0.1])
def test_rows_are_read_from_top_to_bottom(shipped, digits, slope) -> None:
    page = page_of(["31415", "926535", "8979"], digits, np.random.default_rng(6), slope=slope)
    (text,) = texts(shipped, [page.image])
    rows = text.text.split("\n")
    assert [len(row) for row in rows] == [5, 6, 4]
    assert np.mean([a == b for a, b in zip(text.text, page.text, strict=True)]) > 0.85
    assert [digit.row for digit in text.digits] == [0] * 5 + [1] * 6 + [2] * 4


def test_one_digit_is_read_as_without_many(shipped, digits) -> None:
    images = digits[0][:30]
    images = [
        ImageSource(str(i), png(255 - np.kron(image, np.ones((3, 3), np.uint8))))
        for i, image in enumerate(images)
    ]
    for one, many in zip(predict(shipped, images), read_texts(shipped, images), strict=True):
        assert many.text == one.label
        assert many.digits[0].confidence == pytest.approx(one.confidence, abs=1e-6)  # batches round


def test_images_of_one_digit_that_people_made(shipped, handdrawn_folder) -> None:
    """Edges, shadows, specks and gaps make no second digit: of 120 at most 6 read otherwise than alone."""
    paths = sorted(path for path in handdrawn_folder.iterdir() if path.suffix in (".png", ".jpg", ".jpeg"))
    images = [ImageSource(path.name, path) for path in paths]
    pairs = zip(predict(shipped, images), read_texts(shipped, images), strict=True)
    assert sum(one.label != many.text for one, many in pairs) <= len(paths) // 20


def test_confidences_are_calibrated(shipped, digits) -> None:
    """A temperature makes the same text more or less sure, as it does in predict."""
    pages = written.strings(*digits, 3, 6)
    cold, hot = (dataclasses.replace(shipped, temperature=t) for t in (0.5, 5.0))
    for page in pages:
        (sure,), (unsure,) = (
            list(read_texts(one, [ImageSource("page", png(page.image))])) for one in (cold, hot)
        )
        assert sure.text == unsure.text
        pairs = zip(sure.digits, unsure.digits, strict=True)
        assert all(more.confidence > less.confidence for more, less in pairs)


def test_blank_paper_is_an_error_in_its_place(shipped) -> None:
    (result,) = read_texts(shipped, [ImageSource("blank", png(np.full((80, 300), 230, np.uint8)))])
    assert "blank: no ink found" in str(result)


# ---- finding components and rows


def drawing(size: tuple[int, int], *shapes: tuple[int, int, int, int]) -> np.ndarray:
    """Dark rectangles (left, top, right, bottom) on light background: float32 [H, W]."""
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
    ("what", "shape"),
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
def test_what_is_no_digit(what: str, shape: tuple[int, int, int, int]) -> None:
    assert boxes(drawing((400, 160), *BARS, shape)) == [list(BARS)], what


def test_parts_above_each_other_are_one_mark() -> None:
    broken = [(60, 40, 100, 66), (60, 72, 100, 100)]
    assert boxes(drawing((400, 160), *BARS[1:], *broken))[0][0] == (60, 40, 100, 100)


def test_rows_that_a_wave_moves_up_and_down_by_their_height() -> None:
    def shape(left: int, top: int) -> tuple[int, int, int, int]:
        moved = top + round(45 * np.sin(left / 90))
        return left, moved, left + 10, moved + 50

    rows = [[shape(left, top) for left in range(20, 580, 28)] for top in (80, 160, 240)]
    assert boxes(drawing((600, 360), *(each for row in rows for each in row))) == rows


def test_marks_at_a_gap_are_cut_like_those_that_touch() -> None:
    components = [Component(np.ones((50, 10), np.float32), left, 0) for left in (0, 13, 60)]
    assert [(component.left, component.right) for component in near_together(components, 50)] == [
        (0, 23),
        (60, 70),
    ]


def test_joined_marks_keep_all_their_ink() -> None:
    one, other = (
        Component(np.full((4, 6), 0.5, np.float32), 10, 20),
        Component(np.ones((3, 3), np.float32), 14, 22),
    )
    both = joined([one, other])
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


def test_the_best_way_covers_the_mark() -> None:
    segments = [segment(0, 3), segment(0, 1), segment(1, 3), segment(1, 2), segment(2, 3), segment(0, 2)]
    assert best_path(segments, [-9.0, 2.0, 1.0, 5.0, -1.0, 2.5], list("012345")) == [1, 3, 4]
    assert best_path(segments, [9.0, 2.0, 1.0, 5.0, -1.0, 2.5], list("012345")) == [0]


def test_ways_that_say_the_same_add_up() -> None:
    segments = [segment(0, 1), segment(1, 3), segment(0, 2), segment(2, 3), segment(0, 3)]
    assert best_path(segments, [1.0, 1.0, 1.0, 1.0, 2.2], ["1", "7", "1", "7", "4"]) == [0, 1]
    assert best_path(segments, [1.0, 1.0, 1.0, 1.0, 2.2], ["1", "7", "3", "8", "4"]) == [4]


def test_evidence_does_not_depend_on_where_logits_lie() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 10))
    assert evidence(logits + 7) == pytest.approx(evidence(logits))
    assert evidence(2 * logits).min() > evidence(0 * logits).max()


# ---- the command


@pytest.fixture
def photo(tmp_path: Path, digits) -> tuple[Path, str]:
    """Two rows, photographed with the camera on its side."""
    page = page_of(["7071", "142"], digits, np.random.default_rng(1))
    image = Image.fromarray(page.image).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "photo.png", exif=exif)
    return tmp_path / "photo.png", page.text


def test_the_command_prints_rows(photo) -> None:
    outcome = cnn("predict", "--many", "--checkpoint", SHIPPED, photo[0])
    assert (outcome.code, outcome.out) == (0, photo[1] + "\n")


def test_the_command_writes_json_with_boxes_in_the_images_pixels(photo, tmp_path) -> None:
    path, expected = photo
    drawn = tmp_path / "out.png"
    outcome = cnn("predict", "--many", "--json", "--annotate", drawn, "--checkpoint", SHIPPED, path)
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert (result["path"], result["text"]) == (str(path), expected)
    assert "".join(digit["label"] for digit in result["digits"]) == expected.replace("\n", "")
    assert set(result["digits"][0]) == {"label", "confidence", "box", "row", "sure"}
    with Image.open(path) as image:
        height, width = image.size  # it is stored on its side
    with Image.open(drawn) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (width, height))
        pixels = np.asarray(image).astype(int)
    colored = np.ptp(pixels, axis=2) > 30
    for digit in result["digits"]:
        left, top, right, bottom = digit["box"]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert colored[top:bottom, left - 1].mean() > 0.9  # the line lies around the box, not in it


def test_annotate_needs_many_and_one_image(photo, tmp_path) -> None:
    path = photo[0]
    for arguments in (
        ["--annotate", tmp_path / "a.png", path],
        ["--many", "--annotate", tmp_path / "a.png", path, path],
    ):
        outcome = cnn("predict", "--checkpoint", SHIPPED, *arguments)
        assert outcome.code == 2
        assert "--annotate" in outcome.err
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    "option", [["--csv"], ["--explain"], ["--sheet", "a.png"], ["--show-input", "a.png"]]
)
def test_what_shows_one_digit_does_not_go_with_many(photo, option) -> None:
    outcome = cnn("predict", "--many", *option, "--checkpoint", SHIPPED, photo[0])
    assert outcome.code == 2
    assert f"--many does not go with {option[0]}" in outcome.err


def test_digits_below_the_bar_are_not_sure(photo) -> None:
    arguments = ["predict", "--many", "--json", "--strict", "--checkpoint", SHIPPED, photo[0]]
    for bar, code in ((0, 0), (1, 5)):
        outcome = cnn(*arguments, "--min-confidence", bar)
        assert outcome.code == code
        digits = json.loads(outcome.out)["digits"]
        assert [digit["sure"] for digit in digits] == [digit["confidence"] >= bar for digit in digits]


def test_a_broken_image_does_not_stop_the_others(photo, tmp_path) -> None:
    (tmp_path / "broken.png").write_text("no image")
    outcome = cnn("predict", "--many", "--checkpoint", SHIPPED, tmp_path / "broken.png", photo[0])
    assert (outcome.code, outcome.out) == (3, photo[1] + "\n")
    assert "broken.png: is not an image" in outcome.err


def test_a_network_of_photographs_is_refused(shipped, photo) -> None:
    whole = dataclasses.replace(
        shipped, preprocessing=dataclasses.replace(shipped.preprocessing, reading="whole")
    )
    with pytest.raises(Exception, match="--many needs a network for handwriting"):
        list(read_texts(whole, [ImageSource("photo", photo[0])]))
