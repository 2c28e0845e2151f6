"""Metrics compared with scikit-learn, SciPy and NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as sklearn_metrics

from cnn_cli.training.metrics import calibration_error, measure, top_k_accuracy, wilson_interval

CLASSES = ("ant", "bee", "cat", "dog", "eel", "fox")
ALL = range(len(CLASSES))


def logits_and_labels(count: int, seed: int, classes: tuple[int, ...] = (0, 1, 2, 3, 4, 5)):
    """Logits that are right more often than not; labels from `classes` only."""
    draws = torch.Generator().manual_seed(seed)
    labels = torch.tensor(classes)[torch.randint(0, len(classes), (count,), generator=draws)]
    logits = torch.randn(count, len(CLASSES), generator=draws)
    logits[torch.arange(count), labels] += 1.5
    return logits, labels


CASES = [(500, (0, 1, 2, 3, 4, 5)), (40, (1, 4)), (7, (5,)), (1, (2,))]


@pytest.fixture(params=CASES, ids=[f"{count} of {classes}" for count, classes in CASES])
def case(request):
    return logits_and_labels(request.param[0], 3, request.param[1])


def test_confusion_matrix_and_accuracy(case):
    logits, labels = case
    metrics, answers = measure(logits, labels, CLASSES), logits.argmax(1)
    expected = sklearn_metrics.confusion_matrix(labels, answers, labels=ALL)
    assert metrics.confusion_matrix == tuple(map(tuple, expected.tolist()))
    assert metrics.accuracy == pytest.approx(sklearn_metrics.accuracy_score(labels, answers))
    assert metrics.n == len(labels)
    assert metrics.correct == int((answers == labels).sum())


def test_precision_recall_f1_and_support(case):
    logits, labels = case
    expected = sklearn_metrics.precision_recall_fscore_support(
        labels, logits.argmax(1), labels=ALL, zero_division=0
    )
    per_class = measure(logits, labels, CLASSES).per_class
    assert [entry.label for entry in per_class] == list(CLASSES)
    assert [entry.precision for entry in per_class] == pytest.approx(expected[0])
    assert [entry.recall for entry in per_class] == pytest.approx(expected[1])
    assert [entry.f1 for entry in per_class] == pytest.approx(expected[2])
    assert [entry.support for entry in per_class] == expected[3].tolist()


def test_loss(case):
    logits, labels = case
    expected = sklearn_metrics.log_loss(labels, logits.double().softmax(1), labels=ALL)
    assert measure(logits, labels, CLASSES).loss == pytest.approx(expected, rel=1e-6)


def test_top_k(case):
    logits, labels = case
    top_k = measure(logits, labels, CLASSES).top_k
    assert list(top_k) == [1, 2, 3, 5]
    for k, share in top_k.items():
        expected = sklearn_metrics.top_k_accuracy_score(labels, logits.numpy(), k=k, labels=ALL)
        assert share == pytest.approx(expected)


def test_k_is_at_most_the_number_of_classes():
    assert list(measure(torch.randn(4, 2), torch.zeros(4).long(), ("yes", "no")).top_k) == [1, 2]
    assert top_k_accuracy(torch.randn(4, 2), torch.zeros(4).long(), 2) == 1.0


def test_all_right_and_all_wrong():
    labels = torch.tensor([0, 1, 2])
    perfect = measure(10 * torch.eye(3), labels, CLASSES[:3])
    assert (perfect.accuracy, perfect.correct) == (1.0, 3)
    assert perfect.accuracy_interval[1] == 1.0
    assert [entry.f1 for entry in perfect.per_class] == [1.0] * 3
    wrong = measure(torch.eye(3).roll(1, 1), labels, CLASSES[:3])
    assert (wrong.accuracy, wrong.accuracy_interval[0]) == (0.0, 0.0)
    assert [entry.f1 for entry in wrong.per_class] == [0.0] * 3


@given(st.integers(1, 100_000), st.floats(0, 1))
def test_the_wilson_interval_is_that_of_scipy(n, share):
    correct = round(n * share)
    expected = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(correct, n) == pytest.approx(tuple(expected), abs=1e-12)


# --- calibration --------------------------------------------------------------------------------------------


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Equation 3 of Guo et al. 2017, as it is written there."""
    confidence, answers = probabilities.max(1), probabilities.argmax(1)
    number = np.minimum(np.ceil(confidence * bins).astype(int), bins)
    total = 0.0
    for m in range(1, bins + 1):
        members = number == m
        if members.any():
            accuracy = (answers[members] == labels[members]).mean()
            total += members.sum() / len(labels) * abs(accuracy - confidence[members].mean())
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_calibration_error_is_that_of_the_paper(case, bins):
    logits, labels = case
    probabilities = logits.softmax(1)
    expected = expected_calibration_error(probabilities.double().numpy(), labels.numpy(), bins)
    assert calibration_error(probabilities, labels, bins) == pytest.approx(expected, abs=1e-9)
    if bins == 15:
        assert measure(logits, labels, CLASSES).calibration_error == pytest.approx(expected, abs=1e-6)


def test_calibration_error_by_hand():
    """Four answers of 0.9, three of them right: a difference of 0.15. Two of 0.6, both right: 0.4."""
    probabilities = torch.tensor([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 2, dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1, 0, 0])
    assert calibration_error(probabilities, labels) == pytest.approx((4 * 0.15 + 2 * 0.4) / 6)


def test_certain_answers_are_calibrated_only_if_they_are_right():
    certain = torch.eye(3)
    assert calibration_error(certain, torch.tensor([0, 1, 2])) == 0.0
    assert calibration_error(certain, torch.tensor([1, 2, 0])) == 1.0
