"""Metrics of texts that were read from lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnn_cli.training.ctc import decode, negative_log_likelihood
from cnn_cli.training.metrics import ClassMetrics, Score, per_class, wilson_interval

NOTHING = "none"
"""In the confusion matrix: the true class of a character that was added, and the answer where one was left
out."""


@dataclass(frozen=True)
class LineMetrics:
    """All metrics of one evaluation on lines; shares are in 0..1."""

    accuracy: float
    """Share of the lines whose text is exactly right."""
    accuracy_interval: tuple[float, float]
    """Wilson's 95 % interval."""
    n: int
    """Lines."""
    correct: int
    loss: float
    """Mean negative log-likelihood of the texts in nats."""
    character_error_rate: float
    """Characters that are wrong, left out or added, as a share of all characters (Levenshtein 1966)."""
    characters: int
    per_class: tuple[ClassMetrics, ...]
    """Precision, recall and F1 of each character, after the alignment of the texts."""
    confusion_matrix: tuple[tuple[int, ...], ...]
    """Counts by true character (row) and answered one (column); the last of each stands for no character."""
    temperature: float
    """Divides the scores before the softmax; fitted on validation lines."""


def measure_lines(
    logits: Tensor, labels: Tensor, classes: tuple[str, ...], temperature: float = 1.0
) -> LineMetrics:
    """Return all metrics of logits float [N, K + 1, 1, W] and texts int64 [N, L], N >= 1."""
    texts = _texts(labels)
    answers = decode(logits)
    matrix = alignment_matrix(texts, answers, len(classes))
    correct, n = sum(a == b for a, b in zip(texts, answers, strict=True)), len(texts)
    log_probabilities = (logits.double() / temperature).squeeze(2).permute(2, 0, 1).log_softmax(2)
    characters = int(matrix[:-1].sum())
    return LineMetrics(
        accuracy=correct / n,
        accuracy_interval=wilson_interval(correct, n),
        n=n,
        correct=correct,
        loss=negative_log_likelihood(log_probabilities, labels).mean().item(),
        character_error_rate=_error_rate(matrix),
        characters=characters,
        per_class=per_class(matrix, (*classes, NOTHING))[:-1],
        confusion_matrix=tuple(tuple(row) for row in matrix.tolist()),
        temperature=temperature,
    )


def score_lines(logits: Tensor, labels: Tensor) -> Score:
    """Return what chooses the best epoch: the share of lines that are exactly right, and the loss."""
    figures = measure_lines(logits, labels, tuple(map(str, range(logits.shape[1] - 1))))
    return Score(figures.accuracy, figures.loss, figures.character_error_rate)


def alignment_matrix(texts: Sequence[list[int]], answers: Sequence[list[int]], classes: int) -> Tensor:
    """Count aligned characters: int64 [K + 1, K + 1] by true and answered class, K for no character."""
    matrix = torch.zeros(classes + 1, classes + 1, dtype=torch.int64)
    for text, answer in zip(texts, answers, strict=True):
        pairs = list(zip(text, answer, strict=True)) if text == answer else align(text, answer, classes)
        for pair in pairs:
            matrix[pair] += 1
    return matrix


def align(text: list[int], answer: list[int], nothing: int) -> list[tuple[int, int]]:
    """Return an alignment with the fewest edits: pairs of characters, `nothing` where one has no partner."""
    costs = [[0] * (len(answer) + 1) for _ in range(len(text) + 1)]
    for i in range(len(text) + 1):
        for j in range(len(answer) + 1):
            if not i or not j:
                costs[i][j] = i + j
                continue
            both = costs[i - 1][j - 1] + (text[i - 1] != answer[j - 1])
            costs[i][j] = min(both, costs[i - 1][j] + 1, costs[i][j - 1] + 1)
    pairs, i, j = [], len(text), len(answer)
    while i or j:
        if i and j and costs[i][j] == costs[i - 1][j - 1] + (text[i - 1] != answer[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((text[i], answer[j]))
        elif i and costs[i][j] == costs[i - 1][j] + 1:
            i -= 1
            pairs.append((text[i], nothing))
        else:
            j -= 1
            pairs.append((nothing, answer[j]))
    return pairs[::-1]


def _texts(labels: Tensor) -> list[list[int]]:
    return [[index for index in row if index >= 0] for row in labels.tolist()]


def _error_rate(matrix: Tensor) -> float:
    """Return the edits as a share of the true characters; of lines without any, as a share of 1."""
    edits = int(matrix.sum() - matrix.diagonal().sum())
    return edits / max(1, int(matrix[:-1].sum()))
