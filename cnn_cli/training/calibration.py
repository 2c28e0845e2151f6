"""Calibration: probabilities that mean what they say.

Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks, 2017 (arXiv 1706.04599), section 4.2:
one temperature, fitted on validation images, divides all logits. It changes no answer, only how sure it is.
"""

import math

import torch.nn.functional as F
from torch import Tensor

COLDEST, HOTTEST = 0.1, 10.0
"""A temperature outside tells of too few validation images, not of the network."""

HALVINGS = 40
"""Of the logarithm's range: the temperature is then exact to twelve digits."""


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature that makes the mean cross-entropy least.

    In the inverse temperature b the loss is convex; its slope is the mean of what softmax(b * logits) expects
    the logit to be, less the label's own logit. Its zero is found by halving an interval.

    Args:
        logits: float [N, C] of validation images.
        labels: int64 [N].

    Returns:
        Within COLDEST..HOTTEST; 1.0 where no temperature is the best: for no images, for no mistakes (the
        colder the better), and for logits that are not finite.
    """
    logits = logits.double()
    if not len(logits) or not logits.isfinite().all() or bool((logits.argmax(1) == labels).all()):
        return 1.0
    own = logits.gather(1, labels[:, None]).squeeze(1)
    low, high = -math.log(HOTTEST), -math.log(COLDEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        expected = (F.softmax(math.exp(middle) * logits, 1) * logits).sum(1)
        if (expected - own).mean().item() > 0:
            high = middle
        else:
            low = middle
    return math.exp(-(low + high) / 2)
