"""Drawn outliers: the same for the same seed, in MNIST's format, and of every kind."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional as F

from cnn_cli.data import synthetic
from cnn_cli.data.outliers import digits, drawing, scribbles, textures
from cnn_cli.data.outliers.drawing import draw
from cnn_cli.data.outliers.glyphs import GLYPHS
from cnn_cli.data.synthetic import shape


@pytest.fixture(scope="module")
def outliers() -> np.ndarray:
    return draw(2 * drawing.BLOCK, 0)


def test_same_seed_gives_the_same_bytes_and_another_seed_others(outliers) -> None:
    assert np.array_equal(draw(2 * drawing.BLOCK, 0), outliers)
    assert not np.array_equal(draw(2 * drawing.BLOCK, 1), outliers)


def test_fewer_are_the_beginning_of_more_whatever_the_threads(outliers, monkeypatch) -> None:
    monkeypatch.setattr(drawing, "threads", lambda: 1)
    for count in (0, 1, drawing.BLOCK, drawing.BLOCK + 3):
        assert np.array_equal(draw(count, 0), outliers[:count])


def test_format(outliers) -> None:
    assert outliers.shape == (500, 28, 28)
    assert outliers.dtype == np.uint8
    assert (outliers.max(axis=(1, 2)) > 10).all()  # none is blank
    assert len(np.unique(outliers.reshape(500, -1), axis=0)) > 490  # print may be the same twice
    inked = [outliers.max(axis=axis) > 0 for axis in (1, 2)]
    sides = [28 - ink.argmax(axis=1) - ink[:, ::-1].argmax(axis=1) for ink in inked]
    assert (np.maximum(*sides) <= 20).all()  # MNIST's box
    assert np.maximum(*sides).mean() > 19


def test_a_block_holds_every_kind() -> None:
    rng = np.random.default_rng(0)
    for kind, count in drawing.KINDS:
        assert count > 0
        images = kind(5, rng)
        assert (images.shape, images.dtype) == ((5, 28, 28), np.uint8)
    assert sum(count for _, count in drawing.KINDS) == drawing.BLOCK == len(drawing._block(0, 0))


def test_they_are_further_from_digits_than_digits_are(outliers) -> None:
    """The nearest of 3,000 drawn digits is closer to another digit than to 86 % of the outliers."""
    images, _ = synthetic.draw(3500, 0)
    digits = images.reshape(3500, -1) / 255
    nearest = NearestNeighbors(n_neighbors=1).fit(digits[:3000])
    of_digits, of_outliers = (
        nearest.kneighbors(pixels)[0] for pixels in (digits[3000:], outliers.reshape(500, -1) / 255)
    )
    assert np.median(of_outliers) > np.quantile(of_digits, 0.9)


# --- signs --------------------------------------------------------------------------------------------------


def test_signs_have_unique_names_and_none_looks_like_a_digit() -> None:
    names = [way.name for ways in GLYPHS for way in ways]
    assert len(names) == len(set(names))
    assert not {name.split()[0] for name in names} & set("OoDQIijlJ|/ZzBySsbGgq!")


# --- halves and doubles -------------------------------------------------------------------------------------


def test_a_half_keeps_ink_on_one_side_only() -> None:
    path, radius = digits.halves(300, np.random.default_rng(0))
    low, high = path.min(axis=1), path.max(axis=1)
    kept = np.where((radius > 0)[..., None], path, np.nan)
    extent = np.nanmax(kept, axis=1) - np.nanmin(kept, axis=1)
    assert ((extent / (high - low)).min(axis=1) <= digits.KEPT[1]).all()
    assert (radius > 0).any(axis=1).all()


def test_doubles_are_two_digits_beside_each_other(monkeypatch) -> None:
    written: list[np.ndarray] = []

    def write(alphabet, variants: np.ndarray, rng: np.random.Generator):
        written.append(alphabet.label[variants])
        return np.zeros((len(variants), 3, 2), np.float32), np.ones((len(variants), 3), np.float32)

    monkeypatch.setattr(shape, "write", write)
    path, radius = digits.doubles(500, np.random.default_rng(0))
    first, second = written
    assert (first != second).all()
    assert set(first) == set(second) == set(range(10)) - {1}
    assert path.shape == (500, 6, 2)
    assert radius.shape == (500, 6)
    beside = np.abs(path[:, 3, 0] - path[:, 0, 0])
    assert (beside >= digits.BESIDE[0]).all()
    assert (beside <= digits.BESIDE[1]).all()


# --- scribbles and textures ---------------------------------------------------------------------------------


def test_pen_positions_are_evenly_spaced() -> None:
    places = scribbles._evenly(np.array([[0.0, 0], [3, 0], [3, 1]]))
    assert np.allclose(np.abs(np.diff(places, axis=0)).sum(axis=1), 4 / (scribbles.POINTS - 1))
    assert np.allclose(places[[0, -1]], [[0, 0], [3, 1]])


def test_spirals_turn_more_than_twice() -> None:
    for seed in range(20):
        path = scribbles._spiral(np.random.default_rng(seed))
        heading = np.unwrap(np.arctan2(*np.diff(path, axis=0).T[::-1]))
        assert abs(heading[-1] - heading[0]) > 2 * 2 * np.pi


def test_textures_are_clouds_or_haze() -> None:
    """Adjacent pixels of a cloud are alike, as in photographs; some are faint, as on empty paper."""
    ink = textures._texture(np.random.default_rng(0))
    assert (ink.shape, ink.dtype) == ((textures.FIELD, textures.FIELD), np.float32)
    shares = [(textures._texture(np.random.default_rng(seed)) > 0).mean() for seed in range(50)]
    assert min(shares) > 0.08
    assert max(shares) < 0.82
    darkest = textures.textures(50, np.random.default_rng(0)).max(axis=(1, 2))
    assert darkest.min() < 80
    assert darkest.max() > 200
    pixels = torch.from_numpy(textures.textures(50, np.random.default_rng(0))).float()
    right, left = pixels[:, 4:24, 5:24].flatten(), pixels[:, 4:24, 4:23].flatten()
    assert F.cosine_similarity(right - right.mean(), left - left.mean(), dim=0) > 0.5
