"""Disturbances: each changes an image in its own way, and no more."""

import numpy as np
import pytest

from cnn_cli.data import disturb
from cnn_cli.data.disturb import DISTURBANCES, Tones

TONES = Tones(background=30, ink=220)


def scene(side: int = 56) -> np.ndarray:
    gray = np.full((side, side), TONES.background, np.float32)
    gray[side // 4 : -side // 4, side // 3 : side // 2] = TONES.ink
    return gray


@pytest.mark.parametrize("change", sorted(set(DISTURBANCES), key=lambda change: change.__name__))
@pytest.mark.parametrize("side", [8, 28, 90])
def test_every_disturbance_keeps_the_format_and_depends_on_its_draws_alone(change, side) -> None:
    gray = scene(side)
    before = gray.copy()
    first, again, *others = (change(gray, TONES, np.random.default_rng(seed)) for seed in (1, 1, *range(9)))
    assert np.array_equal(gray, before)  # the argument stays
    assert first.dtype == np.float32
    assert first.shape == gray.shape
    assert 0 <= first.min() <= first.max() <= 255
    assert np.array_equal(first, again)
    if (change, side) != (disturb.outline, 8):  # strokes of one pixel are their own outline
        assert any(not np.array_equal(other, gray) for other in others)


def test_the_amount_of_noise() -> None:
    flat = np.full((200, 200), 128, np.float32)
    amounts = [disturb.normal_noise(flat, TONES, np.random.default_rng(seed)).std() for seed in range(30)]
    assert 0.04 * TONES.contrast < min(amounts) < 0.1 * TONES.contrast
    assert 0.25 * TONES.contrast < max(amounts) < 0.36 * TONES.contrast


def test_speckle_keeps_the_background_and_the_mean() -> None:
    gray = scene(200)
    noisy = disturb.speckle(gray, Tones(30, 100), np.random.default_rng(3))
    assert (noisy[gray == 30] == 30).all()
    small = np.where(gray == 220, 100, gray).astype(np.float32)
    noisy = disturb.speckle(small, Tones(30, 100), np.random.default_rng(3))
    assert noisy[small == 100].mean() == pytest.approx(100, abs=3)


def test_impulses_are_one_of_the_two_tones() -> None:
    gray = np.full((100, 100), 100, np.float32)
    changed = disturb.impulses(gray, TONES, np.random.default_rng(4))
    assert set(np.unique(changed)) == {30, 100, 220}
    assert 0.01 < (changed != 100).mean() < 0.21


@pytest.mark.parametrize("change", [disturb.blur, disturb.motion])
def test_blur_keeps_the_amount_of_ink(change) -> None:
    gray = np.zeros((90, 90), np.float32)
    gray[40:50, 40:50] = 220
    blurred = change(gray, Tones(0, 220), np.random.default_rng(5))
    assert blurred.sum() == pytest.approx(gray.sum(), rel=0.05)
    assert np.count_nonzero(blurred) > 120


def test_bands_exchange_the_tones() -> None:
    gray = scene()
    banded = disturb.bands(gray, TONES, np.random.default_rng(6))
    changed = banded != gray
    np.testing.assert_array_equal(banded[changed], TONES.background + TONES.ink - gray[changed])
    assert 0.1 < changed.mean() < 0.65


def test_an_outline_has_no_ink_in_the_middle_of_a_stroke() -> None:
    gray = np.full((80, 80), TONES.background, np.float32)
    gray[20:60, 20:60] = TONES.ink
    edge = disturb.outline(gray, TONES, np.random.default_rng(7))
    assert edge[40, 40] == TONES.background
    assert edge[21, 40] == TONES.ink
    assert edge[10, 10] == TONES.background


def test_gaps_only_take_ink_away() -> None:
    gray = scene()
    worn = disturb.gaps(gray, TONES, np.random.default_rng(8))
    assert (worn <= gray).all()
