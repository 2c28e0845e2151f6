"""A second reading of digits: what the network for single digits is shown, and what its answer changes."""

from dataclasses import replace

import numpy as np
import pytest

from cnn_cli.data.lines.blocks import CLASSES
from cnn_cli.reading import second_reading
from cnn_cli.reading.boxes import left_out_boxes
from cnn_cli.reading.lines import FoundCharacter
from cnn_cli.reading.second_reading import read_digits_again

DIGITS = tuple("0123456789")


class Network:
    """Answers each image with the same probabilities, and keeps the images."""

    classes = DIGITS

    def __init__(self, **probabilities: float) -> None:
        self.answer = np.array([probabilities.get(f"p{digit}", 0.0) for digit in DIGITS])
        self.images = np.zeros((0, 1, 28, 28), np.uint8)

    def pixels(self, images: np.ndarray) -> np.ndarray:
        self.images = images
        return images / np.float32(255)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        return np.repeat(self.answer[None], len(pixels), axis=0)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        return logits


class Reader:
    """As much of a line reader as the second reading needs."""

    classes = CLASSES

    def __init__(self, network: Network) -> None:
        self.digit_reader = network


def found(apart: bool = True, **probabilities: float) -> FoundCharacter:
    """Return a character with the probabilities p0 to p9, or `slash`, of an upright bar."""
    shares = np.zeros(len(CLASSES))
    for name, share in probabilities.items():
        shares[CLASSES.index("/" if name == "slash" else name[1])] = share
    bar = np.zeros((22, 9), np.uint8)
    bar[:, 3:6] = 255
    best = int(shares.argmax())
    return FoundCharacter(CLASSES[best], float(shares[best]), (0, 0, 9, 22), 0, bar, shares, apart)


def test_the_product_of_both_decides_and_the_sum_of_the_digits_stays() -> None:
    """0.5 * 0.1 : 0.3 * 0.8 = 5 : 24, of 0.8 in all; the other 0.2 is no digit."""
    (answer,) = read_digits_again(Reader(Network(p1=0.1, p7=0.8)), [found(p1=0.5, p7=0.3, slash=0.2)])
    assert answer.label == "7"
    assert answer.confidence == pytest.approx(0.8 * 24 / 29)
    assert answer.probabilities[CLASSES.index("1")] == pytest.approx(0.8 * 5 / 29)
    assert answer.probabilities[CLASSES.index("/")] == 0.2


def test_no_digit_becomes_impossible() -> None:
    (answer,) = read_digits_again(Reader(Network(p7=1)), [found(p1=0.97)])
    assert (answer.label, answer.confidence) == ("1", pytest.approx(0.97))


@pytest.mark.parametrize(
    "character",
    [found(p1=0.995), found(apart=False, p1=0.6, p7=0.4), found(slash=0.9, p1=0.1)],
    ids=["certain", "touching", "a sign"],
)
def test_who_is_not_read_again_stays(character: FoundCharacter) -> None:
    network = Network(p7=1)
    assert read_digits_again(Reader(network), [character]) == [character]
    assert not len(network.images)


def test_the_network_is_shown_the_ink_as_mnist_has_it_upright_and_turned() -> None:
    network = Network(p1=1)
    read_digits_again(Reader(network), [found(p1=0.6)])
    upright, left, right = network.images[:, 0]
    for image in (upright, left, right):
        rows, columns = np.nonzero(image > 100)
        assert (rows.max() - rows.min() + 1, image.shape) == (20, (28, 28))  # MNIST's box of 20 pixels
        assert 12 <= columns.mean() <= 16
    leans = [np.polyfit(*np.nonzero(image > 100), 1)[0] for image in (upright, left, right)]
    assert leans == pytest.approx([0, np.tan(np.radians(8)), -np.tan(np.radians(8))], abs=0.03)


def test_the_mean_of_the_angles_decides() -> None:
    """Two of the three answers are a 1: 0.61 for it, and 0.31 for a 7."""
    network = Network(p1=0.3, p7=0.3)
    network.logits = lambda _: np.eye(10)[[1, 1, 7]] * 0.9 + 0.01
    (answer,) = read_digits_again(Reader(network), [found(p1=0.4, p7=0.6)])
    assert answer.label == "1"
    assert answer.confidence == pytest.approx(0.4 * 0.61 / (0.4 * 0.61 + 0.6 * 0.31))


def left_out() -> FoundCharacter:
    """Return ink that the network for lines took for no character."""
    return replace(found(p1=0.5), label="", confidence=0.0, probabilities=np.zeros(len(CLASSES)))


def test_what_was_left_out_is_an_unsure_digit_if_the_other_network_is_sure() -> None:
    """The mean of 0.96 and of nothing."""
    answer, other = read_digits_again(Reader(Network(p6=0.96)), [left_out(), found(p2=0.995)])
    assert (answer.label, other.label) == ("6", "2")
    assert answer.confidence == pytest.approx(0.48)


def test_what_was_left_out_and_is_rather_no_digit_stays_out() -> None:
    assert read_digits_again(Reader(Network(p6=0.45, p5=0.4)), [left_out()]) == []
    (answer,) = read_digits_again(Reader(Network(p6=0.55, p5=0.4)), [left_out()])
    assert (answer.label, answer.confidence) == ("6", pytest.approx(0.275))


def test_a_1_that_was_taken_for_an_edge_is_not_read_again() -> None:
    network = Network(p1=1)
    assert read_digits_again(Reader(network), [replace(left_out(), confidence=0.41)]) == []
    assert not len(network.images)


def strip(*blocks: tuple[int, int, int]) -> np.ndarray:
    """Return a strip of 32x200 pixels with blocks of ink: left, width, height around the middle."""
    pixels = np.zeros((32, 200), np.uint8)
    for left, width, height in blocks:
        pixels[16 - height // 2 : 16 - height // 2 + height, left : left + width] = 200
    return pixels


@pytest.mark.parametrize(
    ("block", "is_left_out"),
    [((80, 14, 22), True), ((80, 4, 22), False), ((80, 14, 9), False), ((80, 60, 22), False)],
    ids=["a digit", "an edge", "a letter of half the height", "a word"],
)
def test_what_was_left_out_has_the_size_of_a_digit(block: tuple[int, int, int], is_left_out: bool) -> None:
    read = [(44, 46), (154, 156)]
    boxes = left_out_boxes(strip((40, 12, 22), block, (150, 12, 22)), read)
    assert boxes == ([(80, 5, 94, 27)] if is_left_out else [])


def test_ink_of_a_character_and_ink_beside_the_row_are_not_left_out() -> None:
    assert left_out_boxes(strip((40, 12, 22)), [(44, 46)]) == []
    assert left_out_boxes(strip((2, 14, 22), (100, 12, 22)), [(104, 106)]) == []
    assert left_out_boxes(strip(), []) == []


def test_of_many_the_least_certain_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_reading, "MOST", 2)
    characters = [found(p1=share, p7=1 - share) for share in (0.9, 0.6, 0.8, 0.7)]
    answers = read_digits_again(Reader(Network(p7=1)), characters)
    assert [answer.label for answer in answers] == ["1", "7", "1", "7"]
