"""The loss of a batch: cross-entropy with labels, and with targets that are spread over the classes."""

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_cli.data.augment.mixup import Mix


def cross_entropy(logits: Tensor, labels: Tensor, mix: Mix | None, smoothing: float) -> Tensor:
    """Mean cross-entropy of the labels, to which the divergence of strangers is added.

    A stranger's target is the uniform distribution, and the least cross-entropy with it is log C: only what
    lies above counts, which is 0 where the network is not sure at all.

    Args:
        logits: float [N + K, C] of N pictures and then K strangers.
        labels: int64 [N].
        mix: what the pictures were mixed with; their targets are mixed alike.
        smoothing: share of the labels' targets that is spread evenly over all classes.

    Returns:
        The sum over all N + K in nats, divided by N.
    """
    loss = partial(F.cross_entropy, logits.float(), label_smoothing=smoothing)
    strangers, classes = len(logits) - len(labels), logits.shape[1]
    if not strangers and mix is None:
        return loss(labels)
    targets = torch.full((len(logits), classes), 1 / classes, device=logits.device)
    targets[: len(labels)] = F.one_hot(labels, classes).float()
    total = loss(mix.blend(targets) if mix else targets, reduction="sum")
    return (total - strangers * math.log(classes)) / len(labels)
