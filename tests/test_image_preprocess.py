"""From a file to the network's input, end to end."""

import csv
import gzip
import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from cnn_cli.errors import DataError
from cnn_cli.image.hypotheses import all_hypotheses
from cnn_cli.image.ink import find_digit
from cnn_cli.image.normalize import MIN_STROKE, normalize_digit, stroke_width
from cnn_cli.image.preprocess import InputFormat, network_input, other_inputs, preprocess


@pytest.fixture(scope="module")
def mnist_digits(mnist_folder: Path) -> np.ndarray:
    """The first 200 test digits, uint8 [200, 28, 28]."""
    with gzip.open(mnist_folder / "t10k-images-idx3-ubyte.gz") as file:
        file.read(16)
        return np.frombuffer(file.read(200 * 28 * 28), np.uint8).reshape(200, 28, 28)


def preprocessed(source: Path | bytes, name: str = "x") -> np.ndarray:
    """Return the digit in an image, uint8 [28, 28]."""
    (digit,) = preprocess(source, InputFormat("digit"), name=name)
    return digit


def png(gray: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.clip(np.rint(gray), 0, 255).astype(np.uint8)).save(file, kind, **options)
    return file.getvalue()


def enlarged(digit: np.ndarray, side: int) -> np.ndarray:
    """Return the digit as a smooth light drawing: float [side, side], 0..255."""
    return np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), np.float32)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean absolute difference as a share of the ink, after the best shift by at most a pixel.

    A digit whose center of mass lies between two pixels may be placed on either.
    """
    shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    moved = [np.roll(one.astype(int), shift, axis=(0, 1)) for shift in shifts]
    return float(min(np.abs(image - other).sum() for image in moved) / other.sum())


def test_the_ink_of_an_mnist_digit_is_the_digit(mnist_digits: np.ndarray) -> None:
    for digit in mnist_digits.astype(np.float32):
        for gray in (digit, 255 - digit):
            assert np.abs(find_digit(gray).ink - digit / 255).mean() < 0.01


def test_normalizing_leaves_mnist_digits_unchanged(mnist_digits: np.ndarray) -> None:
    normalized = np.stack([normalize_digit(digit / np.float32(255)).pixels for digit in mnist_digits])
    thick = np.array([stroke_width(digit / 255) >= MIN_STROKE for digit in mnist_digits])
    assert thick.mean() > 0.9
    np.testing.assert_array_equal(normalized[thick], mnist_digits[thick])


def test_preprocessing_hardly_changes_mnist_digits(mnist_digits: np.ndarray) -> None:
    for invert in (False, True):
        differences = []
        for digit in mnist_digits:
            image = preprocessed(png(255 - digit if invert else digit))
            differences.append(difference(image, digit))
        assert np.mean(differences) < 0.05
        assert np.percentile(differences, 90) < 0.1


@pytest.mark.parametrize("side", [120, 800, 3000])
@pytest.mark.parametrize("invert", [False, True])
def test_size_and_polarity_do_not_matter(mnist_digits: np.ndarray, side: int, invert: bool) -> None:
    for digit in mnist_digits[:3]:
        plain = preprocessed(png(enlarged(digit, 400)))
        gray = enlarged(digit, side)
        assert difference(preprocessed(png(255 - gray if invert else gray)), plain) < 0.2


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_jpeg_does_not_matter(mnist_digits: np.ndarray, quality: int) -> None:
    for digit in mnist_digits[:4]:
        data = png(255 - enlarged(digit, 300), "JPEG", quality=quality)
        assert difference(preprocessed(data), digit) < 0.3


def test_position_and_margin_do_not_matter(mnist_digits: np.ndarray) -> None:
    for digit in mnist_digits[:6]:
        gray = enlarged(digit, 140)
        tight = gray[np.ix_(gray.max(1) > 40, gray.max(0) > 40)]
        plain = preprocessed(png(255 - np.pad(tight, 30)))
        for margins in ((50, 5, 10, 300), (0, 80, 80, 0), (100, 100, 100, 100)):
            wide = np.pad(tight, (margins[:2], margins[2:]))
            assert (
                difference(preprocessed(png(255 - wide)), plain) < 0.25
            )  # the image is reduced to half its size


@pytest.mark.parametrize("tone", [0, 255])
@pytest.mark.parametrize("shape", [(1, 1), (28, 28), (500, 300)])
def test_an_image_without_ink_is_an_error(shape: tuple[int, int], tone: int) -> None:
    with pytest.raises(DataError, match=r"empty\.png: no ink found") as caught:
        preprocessed(png(np.full(shape, tone)), "empty.png")
    assert "\n" not in caught.value.message


def test_every_hand_drawn_image_gives_a_digit(handdrawn_folder: Path) -> None:
    with (handdrawn_folder / "labels.csv").open() as file:
        names = [row["file"] for row in csv.DictReader(file)]
    assert len(names) >= 100
    for name in names:
        image = preprocessed(handdrawn_folder / name, name)
        rows, columns = np.nonzero(image)
        assert image.max() > 150, name
        assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20, name
        assert 20 <= np.count_nonzero(image) <= 300, name
        assert np.abs(np.array(ndimage.center_of_mass(image)) - 14).max() <= 1.5, name


def test_light_and_dark_hand_drawn_images_are_the_same(handdrawn_folder: Path) -> None:
    for path in sorted(handdrawn_folder.glob("photo_?_0[13].*")):
        with Image.open(path) as image:
            gray = np.asarray(image.convert("L"))
        light, dark = preprocessed(png(255 - gray)), preprocessed(png(gray))
        assert difference(light, dark) < 0.15, path.name


def test_a_photo_of_12_megapixels_takes_under_a_second() -> None:
    y, x = np.ogrid[-1:1:3000j, -1:1:4000j]
    ring = np.abs(np.hypot(x * 4, y * 3) - 1.5) < 0.12
    noise = np.random.default_rng(0).integers(-8, 9, (1, 4000)) + np.random.default_rng(1).integers(
        -8, 9, (3000, 1)
    )
    data = png(190 - 20 * x - 100 * ring + noise, "JPEG", quality=85)
    start = time.process_time()
    assert preprocessed(data).any()
    assert time.process_time() - start < 1


@pytest.mark.parametrize("explain", [False, True])
def test_an_input_says_what_was_taken_for_the_digit(explain: bool) -> None:
    page = Image.new("L", (120, 100), 255)
    ImageDraw.Draw(page).line([(50, 20), (70, 20), (58, 80)], fill=0, width=8)
    file = io.BytesIO()
    page.save(file, "PNG")
    first = network_input(file.getvalue(), InputFormat(), name="x", explain=explain)
    others = other_inputs(file.getvalue(), name="x", explain=explain)
    gray = np.asarray(page, np.float32)
    hypotheses = list(all_hypotheses(gray))
    for made, hypothesis in zip([first, *others], hypotheses, strict=True):
        assert made.kind is hypothesis.kind
        assert made.reaches_border is hypothesis.reaches_border
        assert (made.explanation is not None) is explain
        np.testing.assert_array_equal(made.pixels[0], hypothesis.digit.pixels)
