"""Digits cut out of rows in which they touch: each shows the digit it is said to show."""

import itertools

import numpy as np
import pytest

from cnn_cli.data import touching as neighbors, synthetic
from cnn_cli.data.touching import cut_out
from cnn_cli.image.normalize import normalize_digit


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return synthetic.draw(200, 5)[0]


@pytest.fixture(scope="module")
def cut(images) -> neighbors.CutOut:
    return cut_out(images, 120, 3)


def test_as_many_as_asked_for_in_the_networks_format(cut):
    assert cut.digits.shape == (120, 28, 28)
    assert cut.which.shape == (120,)
    assert 60 < len(cut.wrong) < 120
    for images in (cut.digits, cut.wrong):
        assert images.dtype == np.uint8
        assert (images.max(axis=(1, 2)) > 100).all()


def test_a_row_depends_on_nothing_but_its_number_and_the_seed(images, cut):
    fewer, other = cut_out(images, 40, 3), cut_out(images, 40, 4)
    assert np.array_equal(fewer.digits, cut.digits[:40])
    assert np.array_equal(fewer.which, cut.which[:40])
    assert np.array_equal(fewer.wrong, cut.wrong[: len(fewer.wrong)])
    assert not np.array_equal(other.digits, fewer.digits)


def test_what_is_cut_out_looks_like_the_digit_alone(images, cut):
    alone = np.stack([normalize_digit(image / 255).pixels for image in images]).reshape(200, -1).astype(float)
    found = cut.digits.reshape(120, -1).astype(float)
    alone /= np.linalg.norm(alone, axis=1, keepdims=True)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    likeness = found @ alone.T  # [120, 200]
    own = likeness[np.arange(120), cut.which]
    assert np.median(own) > 0.9
    assert (own == likeness.max(axis=1)).mean() > 0.9  # bits of a neighbor make a few of them smaller
    assert (own > 0.99).mean() < 0.7  # but they are not the digits alone


def test_the_pieces_hold_what_they_are_said_to_hold(images):
    found = {"digit": 0, "part": 0, "several": 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        layers = neighbors._written(list(images[rng.choice(200, 3)]), rng)
        row = neighbors._cut(layers)
        for place in range(3):
            piece = row.piece_of(place, rng)
            if piece is not None:
                shares = held(layers, piece)
                assert shares[place] > 0.85
                assert np.delete(shares, place).max() < 0.3
                found["digit"] += 1
        for piece in row.wrong(rng):
            most, second = sorted(held(layers, piece))[:-3:-1]
            several = second > 0.3
            assert several or most < 0.7
            found["several" if several else "part"] += 1
    assert found["digit"] > 80
    assert found["part"] > 10
    assert found["several"] > 30


def held(layers: np.ndarray, piece) -> np.ndarray:
    """How much of each layer's ink lies under a piece's."""
    place = slice(piece.top, piece.top + piece.height), slice(piece.left, piece.left + piece.width)
    return np.array([layer[place][piece.ink > 0].sum() / layer.sum() for layer in layers])


def test_neighbors_touch_and_stand_on_one_line(images):
    gaps = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        layers = neighbors._written(list(images[rng.choice(200, 3)]), rng)
        assert 0.99 < layers.max() <= 1.0
        assert layers.any(axis=(0, 2)).all()  # no blank row
        columns = [np.flatnonzero(layer.any(axis=0)) for layer in layers]
        gaps += [right[0] - left[-1] - 1 for left, right in itertools.pairwise(columns)]
    assert max(gaps) <= 3  # an enlarged digit has pale edges, and 0.5 pixels of MNIST's may lie between
    assert np.mean(np.array(gaps) < 0) > 0.6


@pytest.mark.parametrize("ink", [0, 255])
def test_images_without_digits_give_none(ink):
    flat = np.full((5, 28, 28), ink, np.uint8)
    made = cut_out(flat if ink == 0 else flat * np.eye(28, dtype=np.uint8)[0], 10, 0)
    assert len(made.which) == len(made.digits) <= 10
    assert made.wrong.shape[1:] == (28, 28)


def test_blank_images_are_passed_over(images):
    mixed = np.concatenate([np.zeros_like(images), images])
    assert (cut_out(mixed, 30, 0).which >= 200).all()
