"""What a character is read as, given its probabilities and its height: above all, 1 or a slash."""

import numpy as np
import pytest

from cnn_cli.config.choices import MIN_CONFIDENCE
from cnn_cli.data.lines.blocks import CLASSES
from cnn_cli.image.strips import Strip
from cnn_cli.reading.columns import ColumnCharacter
from cnn_cli.reading.likeliest import by_height, likeliest, without_slash
from cnn_cli.reading.line_reader import LineReader
from cnn_cli.reading.lines import _read_strip


def shares(**probabilities: float) -> np.ndarray:
    """Return [K], by the labels' names."""
    names = {"slash": "/", "plus": "+", "one": "1", "seven": "7"}
    result = np.zeros(len(CLASSES))
    for name, probability in probabilities.items():
        result[CLASSES.index(names[name])] = probability
    return result


def test_a_1_that_may_be_a_slash_is_less_confident() -> None:
    """With a probability of 0.04 of a slash it is unsure; other signs and other digits take off nothing."""
    label, confidence = likeliest(shares(one=0.95, slash=0.04), CLASSES)
    assert (label, confidence) == ("1", pytest.approx(0.95 * 0.95 / (0.95 + 3 * 0.04)))
    assert confidence < MIN_CONFIDENCE
    assert likeliest(shares(one=0.95, plus=0.04), CLASSES) == ("1", 0.95)
    assert likeliest(shares(seven=0.95, slash=0.04), CLASSES) == ("7", 0.95)


@pytest.mark.parametrize(
    ("height", "slash"),
    # Odds of e^(12 (height - 1.07)), but at least 1 in 10 and at most 10 in 1.
    [(1.07, 0.5), (1.17, 0.7685), (0.97, 0.2315), (1.5, 10 / 11), (0.5, 1 / 11)],
)
def test_a_high_character_is_rather_a_slash_than_a_1(height: float, slash: float) -> None:
    before = shares(one=0.4, slash=0.4, seven=0.2)
    after = by_height(before, height, CLASSES)
    assert after[CLASSES.index("/")] == pytest.approx(0.8 * slash, abs=1e-4)
    assert after[CLASSES.index("1")] == pytest.approx(0.8 * (1 - slash), abs=1e-4)
    assert after[CLASSES.index("7")] == 0.2


@pytest.mark.parametrize("height", [0.3, 1.0, 3.0])
def test_the_height_changes_only_what_may_be_both(height: float) -> None:
    for certain in (shares(one=1), shares(slash=1), shares(seven=0.7, plus=0.3)):
        assert by_height(certain, height, CLASSES) == pytest.approx(certain)
    assert by_height(np.full(10, 0.1), height, CLASSES[:10]) == pytest.approx(np.full(10, 0.1))


def test_a_character_that_stands_alone_is_no_slash() -> None:
    assert without_slash(shares(one=0.3, slash=0.7), CLASSES) == pytest.approx(shares(one=1))


class BarReader(LineReader):
    """Takes every wide block of ink for a 7, and every narrow one for a 1 or a slash, as likely."""

    def __init__(self) -> None:
        self.classes, self.height = CLASSES, 32

    def read(self, strip: np.ndarray, *, again: bool = True) -> list[tuple[ColumnCharacter, tuple[int, int]]]:
        inked = np.flatnonzero(strip.any(axis=0))
        read = []
        for group in np.split(inked, np.flatnonzero(np.diff(inked) > 1) + 1):
            columns = int(group[0]), int(group[-1]) + 1
            found = shares(one=0.5, slash=0.5) if len(group) < 8 else shares(seven=1)
            read.append((ColumnCharacter(found, columns, columns), columns))
        return read


@pytest.mark.parametrize(
    ("heights", "expected"),
    [
        ((20, 20, 28), "77/"),  # higher than the digits
        ((20, 20, 18), "771"),
        ((12, 20, 24), "77/"),  # beside the higher digits, not beside the small one
        ((12, 20, 20), "771"),
    ],
)
def test_heights_are_compared_with_the_digits_of_the_row(heights: tuple[int, ...], expected: str) -> None:
    pixels = np.zeros((32, 110), np.uint8)
    for number, height in enumerate(heights):
        left, top = 25 + 25 * number, 16 - height // 2
        pixels[top : top + height, left : left + (4 if number == 2 else 12)] = 255
    found = _read_strip(BarReader(), Strip(pixels, 0, 0, 1, 0), 0, again=False)
    assert "".join(character.label for character in found) == expected
