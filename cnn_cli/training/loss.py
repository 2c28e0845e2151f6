"""The loss of a batch: cross-entropy of labeled, mixed and outlier images."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_cli.data.augment.mixup import Mix


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    outliers: int,
    mix: Mix | None,
    smoothing: float,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return the mean cross-entropy of the labels plus the divergence of the outliers from "no class".

    The target of an outlier is the uniform distribution. The lowest cross-entropy with it is log C, so only
    what exceeds log C counts: 0 if the network is completely unsure (Hendrycks et al. 2019).

    Args:
        logits: float [N + K, C] of N images and then K outliers.
        labels: int64 [N].
        outliers: K.
        mix: what the images were mixed with; their targets are mixed alike.
        smoothing: share of the labels' targets that is spread evenly over all classes.
        class_weights: float [C], factor of the loss of an image by its label; mixed like its target. Outliers
            have the factor 1.

    Returns:
        The sum over all N + K in nats, divided by N: weights are not divided out, so that batches add up to
        the whole, however their classes are mixed.
    """
    logits = logits.float()
    if not outliers and mix is None and class_weights is None:
        return F.cross_entropy(logits, labels, label_smoothing=smoothing)
    classes = logits.shape[1]
    targets = torch.full((len(logits), classes), 1 / classes, device=logits.device)
    targets[: len(labels)] = F.one_hot(labels, classes).float()
    targets = mix.blend(targets) if mix else targets
    if class_weights is None:
        total = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum")
    else:
        weights = torch.ones(len(logits), device=logits.device)
        weights[: len(labels)] = class_weights[labels]
        losses = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
        total = (losses * (mix.blend(weights) if mix else weights)).sum()
    return (total - outliers * math.log(classes)) / len(labels)
