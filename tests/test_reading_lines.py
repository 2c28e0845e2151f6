"""Pages are read with a network for lines: rows, unsure digits, signs, turned pages, bounds."""

import io
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cnn_cli.data.lines.blocks import CLASSES
from cnn_cli.errors import DataError
from cnn_cli.image.strips import Strip
from cnn_cli.image.text_components import find_text
from cnn_cli.reading.columns import ColumnCharacter
from cnn_cli.reading.image_text import ImageText
from cnn_cli.reading.line_reader import LineReader
from cnn_cli.reading.lines import Reading, _read_strip, read_page, unturned
from cnn_cli.reading.sources import ImageSource
from cnn_cli.reading.text import read_texts


class ShapeReader(LineReader):
    """Reads blocks of ink by their shape, in place of a network: an L is a 7, a low bar a minus.

    It is confident of an upright L, and less of other blocks.
    """

    def __init__(self, confidence: float = 0.99) -> None:
        self.classes, self.height, self.confidence = CLASSES, 32, confidence
        self.strips = 0

    def read(self, strip: np.ndarray, *, again: bool = True) -> list[tuple[ColumnCharacter, tuple[int, int]]]:
        self.strips += 1
        inked = np.flatnonzero((strip > 128).any(axis=0))
        groups = np.split(inked, np.flatnonzero(np.diff(inked) > 1) + 1) if len(inked) else []
        return [self._character(strip, int(group[0]), int(group[-1]) + 1) for group in groups]

    def _character(self, strip: np.ndarray, left: int, right: int) -> tuple[ColumnCharacter, tuple[int, int]]:
        part = strip[:, left:right] > 128
        rows = np.flatnonzero(part.any(axis=1))
        part = part[rows[0] : rows[-1] + 1]
        label, confidence = "-", 0.95
        if len(part) > 10:
            is_upright = part[-1].all() and not part[0].all() and part[:, 0].all()  # the foot is below
            label, confidence = ("7", self.confidence) if is_upright else ("4", 0.4)
        shares = np.zeros(len(CLASSES))
        shares[CLASSES.index(label)] = confidence
        return ColumnCharacter(shares, (left, right), (left, right)), (left, right)


def page(lines: int = 2, letters: int = 5, minus: bool = False) -> np.ndarray:
    """Return lines of the letter L, dark on light, uint8 [H, W]."""
    image = np.full((120 * lines + 60, 90 * letters + 120), 230, np.uint8)
    for row in range(lines):
        for column in range(letters):
            top, left = 60 + 120 * row, 60 + 90 * column
            image[top : top + 60, left : left + 12] = 40
            image[top + 48 : top + 60, left : left + 36] = 40
            if minus and column == 1:
                image[top + 24 : top + 32, left + 48 : left + 74] = 40
    return image


def source(image: np.ndarray) -> ImageSource:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return ImageSource("page.png", file.getvalue())


def text(reader: LineReader, image: np.ndarray, **options) -> ImageText:
    (answer,) = read_texts(reader, [source(image)], 0.9, **options)
    assert isinstance(answer, ImageText), answer
    return answer


def test_rows_of_digits_with_their_boxes() -> None:
    answer = text(ShapeReader(), page())
    assert answer.text == "77777\n77777"
    assert answer.confident
    assert answer.turned == 0
    first = answer.digits[0].box
    assert np.abs(np.subtract(first, (60, 60, 96, 120))).max() <= 6
    assert answer.digits[7].row == 1


def test_an_unsure_digit_is_marked_in_the_text_and_keeps_its_label() -> None:
    answer = text(ShapeReader(0.85), page(1, 3))
    assert answer.text == "???"
    assert [digit.label for digit in answer.digits] == ["7", "7", "7"]
    assert answer.unsure


def test_a_sign_is_left_out_or_read_but_is_no_digit() -> None:
    image = page(1, 4, minus=True)
    assert text(ShapeReader(), image).text == "7777"
    assert text(ShapeReader(), image, signs=True).text == "77-77"


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_page_is_noticed_and_its_boxes_are_those_of_the_image(turns: int) -> None:
    image = page()
    turned = np.ascontiguousarray(np.rot90(image, -turns))  # clockwise
    answer = text(ShapeReader(), turned)
    assert answer.text == "77777\n77777"
    assert answer.turned == 90 * turns
    left, top, right, bottom = answer.digits[0].box
    assert (turned[top:bottom, left:right] < 128).mean() > 0.2
    assert unturned((0, 0, 0, 0), 0, (1, 1)) == (0, 0, 0, 0)


class EdgeReader(ShapeReader):
    """Reads, beside the shapes, a 1 at the end of every strip."""

    def read(self, strip: np.ndarray, *, again: bool = True) -> list[tuple[ColumnCharacter, tuple[int, int]]]:
        columns = (strip.shape[1] - 4, strip.shape[1])
        shares = np.zeros(len(CLASSES))
        shares[1] = self.confidence
        return [*ShapeReader().read(strip), (ColumnCharacter(shares, columns, columns), columns)]


@pytest.mark.parametrize(("confidence", "expected"), [(0.85, "777"), (0.95, "7771")])
def test_an_unsure_1_beside_a_row_is_an_edge(confidence: float, expected: str) -> None:
    assert text(EdgeReader(confidence), page(1, 3)).text == expected


def strip_of(*blocks: tuple[int, int, int, int]) -> Strip:
    """Return a strip of 32x110 pixels with blocks of ink: left, top, right, bottom."""
    pixels = np.zeros((32, 110), np.uint8)
    for left, top, right, bottom in blocks:
        pixels[top:bottom, left:right] = 255
    return Strip(pixels, 0, 0, 1, 0)


SEVEN = (30, 6, 34, 26), (30, 22, 44, 26)
"""An L, which is read as a 7."""


def test_a_reading_is_no_more_convincing_for_taking_a_1_for_an_edge() -> None:
    """A ledger's 1000 was a confident 000, since the 1 touched a rule and was left out."""
    characters = _read_strip(EdgeReader(0.41), strip_of(*SEVEN), 0, again=False)
    assert [(each.label, each.confidence) for each in characters] == [("7", 0.99), ("", 0.41)]
    assert Reading(tuple(characters)).mean_confidence == pytest.approx((0.99 + 0.41) / 2)
    assert not Reading(tuple(characters[1:])).mean_confidence  # without any digit


def test_neither_is_it_for_leaving_out_a_high_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_cli.reading.lines.TALL", 0.5)
    row = strip_of(*SEVEN, (60, 6, 64, 26), (60, 22, 74, 26))
    seven, one = ShapeReader().read(row.pixels)
    shares = np.zeros(len(CLASSES))
    shares[1] = 0.6
    monkeypatch.setattr(
        ShapeReader, "read", lambda *_, **__: [seven, (replace(one[0], probabilities=shares), one[1])]
    )
    characters = _read_strip(ShapeReader(), row, 0, again=False)
    assert [(each.label, each.confidence) for each in characters] == [("7", 0.99), ("", 0.6)]
    assert Reading(tuple(characters)).mean_confidence == pytest.approx((0.99 + 0.6) / 2)


def test_the_other_tone_is_tried_where_a_page_is_not_convincing(monkeypatch: pytest.MonkeyPatch) -> None:
    image = page()
    polarity = []

    def wrong_first(gray: np.ndarray, *, light_ink: bool | None = None):
        polarity.append(light_ink)
        return find_text(gray, light_ink=True if light_ink is None else light_ink)

    monkeypatch.setattr("cnn_cli.reading.lines.find_text", wrong_first)
    assert text(ShapeReader(), image).text == "77777\n77777"
    assert polarity == [None, False]


def test_a_digit_that_is_cut_is_less_confident() -> None:
    """A strip ends a digit's height beside its row; what goes on there is whole in another strip."""
    pixels = np.zeros((32, 96), np.uint8)
    for left in (30, 86):
        pixels[6:26, left : left + 4] = 255
        pixels[22:26, left : left + 14] = 255
    whole, cut = _read_strip(ShapeReader(), Strip(pixels, 0, 0, 1, 0), 0, again=False)
    assert cut.confidence == pytest.approx(0.7 * whole.confidence)


def test_a_page_without_digits_says_so() -> None:
    (answer,) = read_texts(ShapeReader(), [source(np.full((200, 300), 200, np.uint8))])
    assert isinstance(answer, DataError)
    assert "page.png: no digits" in answer.message


def test_rows_beyond_the_limit_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    image = page(4, 5)
    monkeypatch.setattr("cnn_cli.reading.lines.COLUMNS", 500)
    answer = text(ShapeReader(), image)
    assert answer.unread_rows == 4 - len(answer.lines) > 0
    assert all(digit.confident for digit in answer.digits)
    assert answer.unsure


@pytest.mark.parametrize("kind", ["noise", "dots"])
def test_patterns_have_a_budget(kind: str) -> None:
    """Noise and dot patterns have any number of components; reading them takes a few seconds at most."""
    image = np.full((1200, 1600), 230, np.float32)
    if kind == "noise":
        image += np.random.default_rng(1).normal(0, 60, image.shape)
    else:
        image[::8, ::8] = image[1::8, ::8] = image[::8, 1::8] = image[1::8, 1::8] = 30
    started = time.process_time()
    read_page(ShapeReader(), np.clip(image, 0, 255).astype(np.float32))
    assert time.process_time() - started < 6


def test_an_unsure_strip_is_read_again_a_little_higher_and_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scores, in place of those of a network, are unsure of one strip and sure of several."""
    reader = LineReader.__new__(LineReader)
    passes = []

    def scores(strips: np.ndarray) -> np.ndarray:
        passes.append(strips.copy())
        score = 9.0 if len(strips) > 1 else 1.0
        return np.array([[score, 0.0], [0.0, 0.0], [0.0, score]])  # a 0, then the blank

    monkeypatch.setattr(reader, "_scores", scores)
    strip = np.arange(8, dtype=np.uint8)[:, None].repeat(4, axis=1)
    ((character, columns),) = reader.read(strip)
    assert (character.best, columns) == (0, (0, 2))
    assert character.confidence > 0.99
    plain, shifted = passes
    assert np.array_equal(plain, strip[None])
    assert shifted[:, :, 0].tolist() == [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [0, 0, 1, 2, 3, 4, 5, 6],
        [1, 2, 3, 4, 5, 6, 7, 7],
    ]
