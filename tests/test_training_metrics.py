"""Figures against scikit-learn, SciPy and numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as sklearn_metrics

from cnn_cli.training.metrics import calibration_error, measure, top_k_accuracy, wilson_interval

CLASSES = ("ant", "bee", "cat", "dog", "eel", "fox")
ALL = range(len(CLASSES))


def logits_and_labels(count: int, seed: int, classes: tuple[int, ...] = (0, 1, 2, 3, 4, 5)):
    """Answers that are right more often than not; labels from `classes` alone."""
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
    found, answers = measure(logits, labels, CLASSES), logits.argmax(1)
    expected = sklearn_metrics.confusion_matrix(labels, answers, labels=ALL)
    assert found.confusion_matrix == tuple(map(tuple, expected.tolist()))
    assert found.accuracy == pytest.approx(sklearn_metrics.accuracy_score(labels, answers))
    assert found.n == len(labels)
    assert found.correct == int((answers == labels).sum())


def test_precision_recall_f1_and_support(case):
    logits, labels = case
    expected = sklearn_metrics.precision_recall_fscore_support(
        labels, logits.argmax(1), labels=ALL, zero_division=0
    )
    found = measure(logits, labels, CLASSES).per_class
    assert [entry.label for entry in found] == list(CLASSES)
    assert [entry.precision for entry in found] == pytest.approx(expected[0])
    assert [entry.recall for entry in found] == pytest.approx(expected[1])
    assert [entry.f1 for entry in found] == pytest.approx(expected[2])
    assert [entry.support for entry in found] == expected[3].tolist()


def test_loss(case):
    logits, labels = case
    expected = sklearn_metrics.log_loss(labels, logits.double().softmax(1), labels=ALL)
    assert measure(logits, labels, CLASSES).loss == pytest.approx(expected, rel=1e-6)


def test_top_k(case):
    logits, labels = case
    found = measure(logits, labels, CLASSES).top_k
    assert list(found) == [1, 2, 3, 5]
    for k, share in found.items():
        expected = sklearn_metrics.top_k_accuracy_score(labels, logits.numpy(), k=k, labels=ALL)
        assert share == pytest.approx(expected)


def test_top_k_asks_for_no_more_than_there_are_classes():
    assert list(measure(torch.randn(4, 2), torch.zeros(4).long(), ("yes", "no")).top_k) == [1, 2]
    assert top_k_accuracy(torch.randn(4, 2), torch.zeros(4).long(), 2) == 1.0


def test_a_perfect_and_a_hopeless_answer():
    labels = torch.tensor([0, 1, 2])
    perfect, hopeless = measure(10 * torch.eye(3), labels, CLASSES[:3]), torch.eye(3).roll(1, 1)
    assert (perfect.accuracy, perfect.correct) == (1.0, 3)
    assert perfect.accuracy_interval[1] == 1.0
    assert [entry.f1 for entry in perfect.per_class] == [1.0] * 3
    nothing = measure(hopeless, labels, CLASSES[:3])
    assert (nothing.accuracy, nothing.accuracy_interval[0]) == (0.0, 0.0)
    assert [entry.f1 for entry in nothing.per_class] == [0.0] * 3


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 100_000), st.floats(0, 1))
def test_wilson_interval_is_scipys(n, share):
    correct = round(n * share)
    expected = binomtest(correct, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(correct, n) == pytest.approx(tuple(expected), abs=1e-12)


# --- calibration --------------------------------------------------------------------------------------------


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, equation 3, written down as it stands there."""
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
def test_calibration_error_is_the_papers(case, bins):
    logits, labels = case
    probabilities = logits.softmax(1)
    expected = expected_calibration_error(probabilities.double().numpy(), labels.numpy(), bins)
    assert calibration_error(probabilities, labels, bins) == pytest.approx(expected, abs=1e-9)
    if bins == 15:
        assert measure(logits, labels, CLASSES).calibration_error == pytest.approx(expected, abs=1e-6)


def test_calibration_error_by_hand():
    """Four answers of 0.9, three of them right: 0.15 apart. Two of 0.6, both right: 0.4 apart."""
    probabilities = torch.tensor([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 2, dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1, 0, 0])
    assert calibration_error(probabilities, labels) == pytest.approx((4 * 0.15 + 2 * 0.4) / 6)


def test_sure_and_right_is_calibrated_and_sure_and_wrong_is_not():
    sure = torch.eye(3)
    assert calibration_error(sure, torch.tensor([0, 1, 2])) == 0.0
    assert calibration_error(sure, torch.tensor([1, 2, 0])) == 1.0
