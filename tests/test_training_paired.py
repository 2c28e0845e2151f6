"""McNemar's exact test and the interval of a difference, compared with SciPy, NumPy and exact coverage."""

import itertools
import random

import numpy as np
import pytest
from scipy.stats import binomtest, multinomial

from cnn_cli.training.metrics import Z_95
from cnn_cli.training.paired import SIGNIFICANT, PairedCounts


@pytest.mark.parametrize("total", [1, 2, 5, 6, 9, 40, 101])
def test_the_p_value_is_that_of_scipy(total):
    for only_b in range(total + 1):
        counts = PairedCounts(both=50, only_a=total - only_b, only_b=only_b, neither=3)
        assert counts.p_value == pytest.approx(binomtest(only_b, total).pvalue, rel=1e-9)


def test_the_p_value_of_large_counts():
    counts = PairedCounts(0, 5_200, 4_800, 0)
    assert counts.p_value == pytest.approx(binomtest(4_800, 10_000).pvalue, rel=1e-9)
    assert PairedCounts(0, 60_000, 0, 0).p_value == 0.0  # smaller than any float


def test_two_that_never_differ():
    counts = PairedCounts(90, 0, 0, 10)
    assert (counts.p_value, counts.difference) == (1.0, 0.0)
    low, high = counts.difference_interval
    assert low == -high < 0


def expanded(counts: PairedCounts) -> np.ndarray:
    """Return B minus A for each image, with the two images that the interval adds."""
    return np.repeat([-1, 1, 0], [counts.only_a + 1, counts.only_b + 1, counts.both + counts.neither])


def test_the_interval_is_walds_with_two_more_images():
    """Mean and standard error of a sample, which NumPy computes from the single images."""
    draws = random.Random(0)
    for _ in range(30):
        counts = PairedCounts(
            *(draws.randrange(limit) for limit in (900, 60, 60, 40)),
        )
        sample = expanded(counts)
        half = Z_95 * sample.std() / np.sqrt(len(sample))
        expected = sample.mean() - half, sample.mean() + half
        assert counts.difference_interval == pytest.approx(expected)


def test_the_interval_stays_within_the_range():
    low, high = PairedCounts(0, 0, 3, 0).difference_interval
    assert -1 <= low < high <= 1


@pytest.mark.parametrize("shares", [(0.9, 0.04, 0.02, 0.04), (0.6, 0.1, 0.2, 0.1), (0.7, 0.1, 0.1, 0.1)])
def test_the_interval_covers_the_true_difference_in_95_of_100_samples(shares):
    """Exactly, over all results of 60 images: the nominal share is 95 %."""
    n, covered = 60, 0.0
    for only_a, only_b in itertools.product(range(n + 1), repeat=2):
        if only_a + only_b <= n:
            rest = n - only_a - only_b
            probability = multinomial.pmf(
                [only_a, only_b, rest], n, [shares[1], shares[2], shares[0] + shares[3]]
            )
            low, high = PairedCounts(rest, only_a, only_b, 0).difference_interval
            covered += probability * (low <= shares[2] - shares[1] <= high)
    assert 0.94 < covered < 0.995


def test_interval_and_test_agree_on_whether_there_is_a_difference():
    """Of all results with up to 60 images on each side, they disagree on few, each close to p = 0.05."""
    disagree = []
    for only_a, only_b in itertools.product(range(61), repeat=2):
        counts = PairedCounts(9_800, only_a, only_b, 80)
        low, high = counts.difference_interval
        if (low > 0 or high < 0) != counts.is_significant:
            disagree.append(counts.p_value)
    assert len(disagree) < 0.05 * 61**2
    assert all(0.6 * SIGNIFICANT < p < 1.4 * SIGNIFICANT for p in disagree)


@pytest.mark.parametrize(
    ("only_a", "only_b", "significant", "worse"),
    [(5, 0, False, False), (6, 0, True, True), (0, 6, True, False), (40, 41, False, False)],
)
def test_b_is_worse_only_if_that_is_significant(only_a, only_b, significant, worse):
    """0.0625 = 2 / 2**5 is not below 0.05, and 0.03125 = 2 / 2**6 is."""
    counts = PairedCounts(100, only_a, only_b, 2)
    assert (counts.is_significant, counts.b_is_worse) == (significant, worse)
