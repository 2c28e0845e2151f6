"""The loss of a batch: cross-entropy of labeled, mixed and outlier images."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_cli.data.augment.mixup import Mix


def cross_entropy(logits: Tensor, labels: Tensor, outliers: int, mix: Mix | None, smoothing: float) -> Tensor:
    """Return the mean cross-entropy of the labels plus the divergence of the outliers from "no class".

    The target of an outlier is the uniform distribution. The lowest cross-entropy with it is log C, so only
    what exceeds log C counts: 0 if the network is completely unsure (Hendrycks et al. 2019).

    Args:
        logits: float [N + K, C] of N images and then K outliers.
        labels: int64 [N].
        outliers: K.
        mix: what the images were mixed with; their targets are mixed alike.
        smoothing: share of the labels' targets that is spread evenly over all classes.

    Returns:
        The sum over all N + K in nats, divided by N.
    """
    loss = partial(F.cross_entropy, logits.float(), label_smoothing=smoothing)
    if not outliers and mix is None:
        return loss(labels)
    classes = logits.shape[1]
    targets = torch.full((len(logits), classes), 1 / classes, device=logits.device)
    targets[: len(labels)] = F.one_hot(labels, classes).float()
    total = loss(mix.blend(targets) if mix else targets, reduction="sum")
    return (total - outliers * math.log(classes)) / len(labels)
