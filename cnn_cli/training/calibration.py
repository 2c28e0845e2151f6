"""Calibration: probabilities that match how often the answers are right.

Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks, 2017 (arXiv 1706.04599), section 4.2:
one temperature, fitted on validation images, divides all logits. It changes the confidence, but no answer.
"""

import math

import torch.nn.functional as F
from torch import Tensor

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.1, 10.0
"""A temperature outside this range comes from too few validation images, not from the network."""

HALVINGS = 40
"""Halvings of the range of the logarithm, which give the temperature to twelve digits."""


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature with the lowest mean cross-entropy.

    The loss is convex in the inverse temperature b. Its slope is the mean over images of the expected logit
    under softmax(b * logits), minus the logit of the label. Bisection finds its zero.

    Args:
        logits: float [N, C] of validation images.
        labels: int64 [N].

    Returns:
        A temperature in MIN_TEMPERATURE..MAX_TEMPERATURE; 1.0 if no temperature is best: without images,
        without mistakes (lower is always better then), and if a logit is not finite.
    """
    logits = logits.double()
    if not len(logits) or not logits.isfinite().all() or bool((logits.argmax(1) == labels).all()):
        return 1.0
    label_logits = logits.gather(1, labels[:, None]).squeeze(1)
    low, high = -math.log(MAX_TEMPERATURE), -math.log(MIN_TEMPERATURE)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        expected = (F.softmax(math.exp(middle) * logits, 1) * logits).sum(1)
        if (expected - label_logits).mean().item() > 0:
            high = middle
        else:
            low = middle
    return math.exp(-(low + high) / 2)
