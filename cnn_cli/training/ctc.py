"""Connectionist temporal classification (CTC): from a score for each class and column to a text.

Graves, Fernandez, Gomez, Schmidhuber: Connectionist temporal classification, 2006. In each column of a strip
the network gives a score to each class and to the blank, which stands for "no new character here". A text's
probability is the sum over all ways to write it along the columns: each character over one column or several,
blanks anywhere between, and at least one between two equal characters.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_cli.data.augment.mixup import Mix

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.25, 8.0
"""A temperature outside this range comes from too few lines, not from the network."""

SECTIONS = 24
"""Sections of the range of the logarithm, each 0.62 of the one before: the temperature to a thousandth."""

GOLDEN = (math.sqrt(5) - 1) / 2


def ctc_loss(
    logits: Tensor,
    labels: Tensor,
    outliers: int = 0,
    mix: Mix | None = None,
    smoothing: float = 0.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return the mean negative log-likelihood of the texts, in nats for each line.

    A line with fewer columns than its text needs counts nothing.

    Args:
        logits: float [N, K + 1, 1, W], the last class is the blank.
        labels: texts int64 [N, L], each of which ends at the first -1.
        outliers: 0; lines have no outliers, since a line may be without text.
        mix: None.
        smoothing: 0.
        class_weights: None.
    """
    if outliers or mix or smoothing or class_weights is not None:
        raise ValueError("lines have no outliers, no mix, no label smoothing and no weights of classes")
    log_probabilities = logits.float().squeeze(2).permute(2, 0, 1).log_softmax(2)  # [W, N, K + 1]
    return negative_log_likelihood(log_probabilities, labels).mean()


def negative_log_likelihood(log_probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return that of each text under the probabilities of the columns: float [N], in nats.

    Args:
        log_probabilities: float [W, N, K + 1], the last class is the blank.
        labels: texts int64 [N, L], each of which ends at the first -1.
    """
    columns, count, classes = log_probabilities.shape
    lengths = (labels >= 0).sum(1)
    return F.ctc_loss(
        log_probabilities,
        labels.clamp(min=0),
        torch.full((count,), columns, dtype=torch.int64),
        lengths,
        blank=classes - 1,
        reduction="none",
        zero_infinity=True,
    )


def decode(logits: Tensor) -> list[list[int]]:
    """Return the text along each line's best path: the best class of each column, merged, without blanks.

    Args:
        logits: float [N, K + 1, 1, W], the last class is the blank.

    Returns:
        N lists of class indices.
    """
    best = logits.squeeze(2).argmax(1)  # [N, W]
    blank = logits.shape[1] - 1
    starts = torch.ones_like(best, dtype=torch.bool)
    starts[:, 1:] = best[:, 1:] != best[:, :-1]
    kept = starts & (best != blank)
    return [row[mask].tolist() for row, mask in zip(best, kept, strict=True)]


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature with the highest likelihood of the texts, by sections of its logarithm's range.

    Args:
        logits: float [N, K + 1, 1, W] of validation lines.
        labels: their texts, int64 [N, L].

    Returns:
        A temperature; 1.0 without lines, and if a logit is not finite.
    """
    if not len(logits) or not logits.isfinite().all():
        return 1.0
    columns = logits.double().squeeze(2).permute(2, 0, 1)

    def loss(log_temperature: float) -> float:
        log_probabilities = (columns / math.exp(log_temperature)).log_softmax(2)
        return negative_log_likelihood(log_probabilities, labels).mean().item()

    low, high = math.log(MIN_TEMPERATURE), math.log(MAX_TEMPERATURE)
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(SECTIONS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)
