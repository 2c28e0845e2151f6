"""Digits cut out of rows of touching digits: each shows the digit of its label."""

import itertools

import numpy as np
import pytest

from cnn_cli.data import synthetic, touching
from cnn_cli.data.touching import cut_out
from cnn_cli.image.normalize import normalize_digit


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return synthetic.draw(200, 5)[0]


@pytest.fixture(scope="module")
def cut(images) -> touching.CutOut:
    return cut_out(images, 120, 3)


def test_the_number_of_digits_and_the_networks_format(cut):
    assert cut.digits.shape == (120, 28, 28)
    assert cut.which.shape == (120,)
    assert 60 < len(cut.wrong) < 120
    for images in (cut.digits, cut.wrong):
        assert images.dtype == np.uint8
        assert (images.max(axis=(1, 2)) > 100).all()


def test_a_row_depends_only_on_its_number_and_the_seed(images, cut):
    fewer, other = cut_out(images, 40, 3), cut_out(images, 40, 4)
    assert np.array_equal(fewer.digits, cut.digits[:40])
    assert np.array_equal(fewer.which, cut.which[:40])
    assert np.array_equal(fewer.wrong, cut.wrong[: len(fewer.wrong)])
    assert not np.array_equal(other.digits, fewer.digits)


def test_a_cut_out_digit_looks_like_the_digit_alone(images, cut):
    alone = np.stack([normalize_digit(image / 255).pixels for image in images]).reshape(200, -1).astype(float)
    digits = cut.digits.reshape(120, -1).astype(float)
    alone /= np.linalg.norm(alone, axis=1, keepdims=True)
    digits /= np.linalg.norm(digits, axis=1, keepdims=True)
    similarity = digits @ alone.T  # [120, 200]
    own = similarity[np.arange(120), cut.which]
    assert np.median(own) > 0.9
    assert (
        own == similarity.max(axis=1)
    ).mean() > 0.9  # bits of an adjacent digit make a few of them smaller
    assert (own > 0.99).mean() < 0.7  # but they are not the digits alone


def test_the_pieces_hold_the_ink_that_they_should(images):
    counts = {"digit": 0, "part": 0, "several": 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        layers = touching._compose(list(images[rng.choice(200, 3)]), rng)
        row = touching._cut(layers)
        for place in range(3):
            piece = row.piece_of(place, rng)
            if piece is not None:
                shares = held(layers, piece)
                assert shares[place] > 0.85
                assert np.delete(shares, place).max() < 0.3
                counts["digit"] += 1
        for piece in row.wrong(rng):
            most, second = sorted(held(layers, piece))[:-3:-1]
            several = second > 0.3
            assert several or most < 0.7
            counts["several" if several else "part"] += 1
    assert counts["digit"] > 80
    assert counts["part"] > 10
    assert counts["several"] > 30


def held(layers: np.ndarray, piece) -> np.ndarray:
    """Return the share of each layer's ink that is under the ink of a piece."""
    place = slice(piece.top, piece.top + piece.height), slice(piece.left, piece.left + piece.width)
    return np.array([layer[place][piece.ink > 0].sum() / layer.sum() for layer in layers])


def test_the_digits_touch_and_are_on_one_line(images):
    gaps = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        layers = touching._compose(list(images[rng.choice(200, 3)]), rng)
        assert 0.99 < layers.max() <= 1.0
        assert layers.any(axis=(0, 2)).all()  # no blank row
        columns = [np.flatnonzero(layer.any(axis=0)) for layer in layers]
        gaps += [right[0] - left[-1] - 1 for left, right in itertools.pairwise(columns)]
    assert max(gaps) <= 3  # an enlarged digit has pale edges, and up to 0.5 of MNIST's pixels may be between
    assert np.mean(np.array(gaps) < 0) > 0.6


@pytest.mark.parametrize("ink", [0, 255])
def test_images_without_digits_give_none(ink):
    flat = np.full((5, 28, 28), ink, np.uint8)
    made = cut_out(flat if ink == 0 else flat * np.eye(28, dtype=np.uint8)[0], 10, 0)
    assert len(made.which) == len(made.digits) <= 10
    assert made.wrong.shape[1:] == (28, 28)


def test_blank_images_are_ignored(images):
    mixed = np.concatenate([np.zeros_like(images), images])
    assert (cut_out(mixed, 30, 0).which >= 200).all()
