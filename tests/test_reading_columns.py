"""The text of scores for columns: places, and probabilities that are sums over all paths."""

import itertools
import math

import numpy as np
import pytest

from cnn_cli.reading.columns import read_columns


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=0))
    return exponentials / exponentials.sum(axis=0)


def probability(shares: np.ndarray, text: list[int]) -> float:
    """Sum the probabilities of all paths through [K + 1, W] that give the text, one by one."""
    blank = len(shares) - 1
    total = 0.0
    for path in itertools.product(range(len(shares)), repeat=shares.shape[1]):
        if [key for key, _ in itertools.groupby(path) if key != blank] == text:
            total += math.prod(shares[k, column] for column, k in enumerate(path))
    return total


def scores(columns: list[int], classes: int = 3, height: float = 6.0) -> np.ndarray:
    logits = np.zeros((classes + 1, len(columns)))
    logits[columns, range(len(columns))] = height
    return logits


def test_the_confidence_is_the_sum_over_all_paths() -> None:
    logits = np.random.default_rng(3).normal(size=(4, 5))
    logits[1, 2] += 5  # one run, in the middle
    logits[3, [0, 1, 3, 4]] += 5
    (character,) = read_columns(logits)
    shares = softmax(logits)
    assert character.columns == (2, 3)
    for index in range(3):
        assert character.probabilities[index] == pytest.approx(probability(shares, [index]))


def test_the_columns_are_divided_where_the_blank_is_most_probable() -> None:
    logits = scores([3, 0, 0, 3, 3, 3, 1, 3])
    logits[3, 4] += 2
    first, second = read_columns(logits)
    assert (first.best, first.columns, first.span) == (0, (1, 3), (0, 5))
    assert (second.best, second.columns, second.span) == (1, (6, 7), (5, 8))


def test_equal_digits_are_two_only_with_a_blank_between_them() -> None:
    assert [each.best for each in read_columns(scores([2, 2, 3, 2]))] == [2, 2]
    assert [each.best for each in read_columns(scores([2, 2, 2, 2]))] == [2]


def test_a_digit_that_was_nearly_read_lowers_the_confidence_beside_it() -> None:
    clear = scores([3, 0, 3, 3, 3])
    doubtful = clear.copy()
    doubtful[1, 4] = clear[3, 4] - 0.1  # almost as probable as the blank
    (first,), (second,) = read_columns(clear), read_columns(doubtful)
    assert first.best == second.best == 0
    assert first.confidence > 0.9
    assert second.confidence < 0.6


def test_no_characters() -> None:
    assert read_columns(scores([3, 3, 3])) == []


def test_a_digit_that_resembles_two_others_is_not_lost() -> None:
    """The blank has 0.41 and both digits together 0.55: one digit is there, though each is less probable."""
    shares = np.array([[0.04, 0.4, 0.04], [0.03, 0.15, 0.03], [0.03, 0.04, 0.03], [0.9, 0.41, 0.9]])
    (character,) = read_columns(np.log(shares))
    assert (character.best, character.columns) == (0, (1, 2))
    assert character.confidence < 0.5
    shares[:, 1] = 0.3, 0.1, 0.05, 0.55
    assert read_columns(np.log(shares)) == []
