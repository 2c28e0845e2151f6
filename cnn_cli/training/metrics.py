"""Metrics of a classifier from its logits. All are pure functions."""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

CALIBRATION_BINS = 15
"""Bins of the expected calibration error, as in Guo et al. 2017 (arXiv 1706.04599)."""

Z_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution: 95 % of it lies between minus and plus this."""


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one class; a metric that would divide by zero is 0."""

    label: str
    precision: float
    """Share of the images answered with this class that belong to it."""
    recall: float
    """Share of the images of this class that are answered with it."""
    f1: float
    """Harmonic mean of precision and recall."""
    support: int
    """Number of images of this class."""


@dataclass(frozen=True)
class Score:
    """The figures of the validation set by which the best epoch is chosen."""

    accuracy: float
    """Share of the images (of lines: of the texts) that are exactly right, 0..1."""
    loss: float
    """Mean, in nats."""
    character_error_rate: float | None = None
    """Wrong, missing and added characters as a share of all; None unless lines are read."""


@dataclass(frozen=True)
class Metrics:
    """All metrics of one evaluation; shares are in 0..1."""

    accuracy: float
    accuracy_interval: tuple[float, float]
    """Wilson's 95 % interval."""
    n: int
    correct: int
    loss: float
    """Mean cross-entropy of the probabilities in nats, without label smoothing."""
    top_k: dict[int, float]
    """Share of images whose class is among the k most likely, by k."""
    per_class: tuple[ClassMetrics, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]
    """Counts by true class (row) and answered class (column)."""
    calibration_error: float
    """Expected calibration error: the mean difference between confidence and accuracy."""
    temperature: float
    """Divides the logits before the softmax; fitted on validation images."""
    uncalibrated_error: float
    """The expected calibration error at temperature 1."""


def measure(logits: Tensor, labels: Tensor, classes: tuple[str, ...], temperature: float = 1.0) -> Metrics:
    """Return all metrics of logits float [N, C], divided by the temperature, and labels int64 [N], N >= 1."""
    calibrated = logits.double() / temperature
    matrix = confusion_matrix(logits.argmax(1), labels, len(classes))
    correct, n = int(matrix.diagonal().sum()), len(labels)
    return Metrics(
        accuracy=correct / n,
        accuracy_interval=wilson_interval(correct, n),
        n=n,
        correct=correct,
        loss=F.cross_entropy(calibrated, labels).item(),
        top_k={k: top_k_accuracy(logits, labels, k) for k in (1, 2, 3, 5) if k <= len(classes)},
        per_class=per_class(matrix, classes),
        confusion_matrix=tuple(tuple(row) for row in matrix.tolist()),
        calibration_error=calibration_error(calibrated.softmax(1), labels),
        temperature=temperature,
        uncalibrated_error=calibration_error(logits.double().softmax(1), labels),
    )


def score(logits: Tensor, labels: Tensor) -> Score:
    """Return accuracy and mean cross-entropy of logits float [N, C] and labels int64 [N], N >= 1."""
    accuracy = (logits.argmax(1) == labels).double().mean().item()
    return Score(accuracy, F.cross_entropy(logits.double(), labels).item())


def confusion_matrix(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return counts int64 [C, C]: row = true class, column = predicted class."""
    return torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)


def top_k_accuracy(logits: Tensor, labels: Tensor, k: int) -> float:
    """Return the share of rows whose label is among the k largest logits."""
    hits = (logits.topk(k, dim=1).indices == labels[:, None]).any(1)
    return hits.double().mean().item()


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson 1927), which stays in 0..1 even near 100 %."""
    share, z2 = correct / n, Z_95**2
    center = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return max(0.0, center - half), min(1.0, center + half)


def per_class(matrix: Tensor, classes: tuple[str, ...]) -> tuple[ClassMetrics, ...]:
    """Return precision, recall and F1 of each class from a confusion matrix."""
    hits = matrix.diagonal().tolist()
    answers, actual = matrix.sum(0).tolist(), matrix.sum(1).tolist()
    return tuple(
        ClassMetrics(
            label=label,
            precision=_share(hit, predicted),
            recall=_share(hit, true),
            f1=_share(2 * hit, predicted + true),
            support=true,
        )
        for label, hit, predicted, true in zip(classes, hits, answers, actual, strict=True)
    )


@dataclass(frozen=True)
class ConfidenceBin:
    """The answers whose confidence is above `low` and at most `high`."""

    low: float
    high: float
    count: int
    correct: int
    confidence: float
    """Sum of the confidences."""


def confidence_bins(
    probabilities: Tensor, labels: Tensor, bins: int = CALIBRATION_BINS
) -> tuple[ConfidenceBin, ...]:
    """Return the answers in equal bins of confidence, from probabilities [N, C] and labels int64 [N]."""
    confidence, predicted = probabilities.double().max(1)
    correct = predicted == labels
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64).tolist()
    result = []
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        sums = int(inside.sum()), int(correct[inside].sum()), confidence[inside].sum().item()
        result.append(ConfidenceBin(low, high, *sums))
    return tuple(result)


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = CALIBRATION_BINS) -> float:
    """Return the mean |accuracy - confidence| over equal bins of confidence, weighted by their counts."""
    filled = confidence_bins(probabilities, labels, bins)
    return sum(abs(group.correct - group.confidence) for group in filled) / len(labels)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
