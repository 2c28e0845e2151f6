"""A step of training: the loss of its batches, their gradients, and the optimizer's update of the weights."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cnn_cli.config.schema import Train
from cnn_cli.data.augment.mixup import Mix
from cnn_cli.model.modules import take_auxiliary_logits
from cnn_cli.training.device import Compute
from cnn_cli.training.graph import Recorded
from cnn_cli.training.optimizers import build_optimizer
from cnn_cli.training.sums import Sums
from cnn_cli.training.task import Loss


class Batch(NamedTuple):
    """Inputs of the network, on its device."""

    inputs: Tensor
    """float [N + K, C, H, W]: N images and then K outliers."""
    labels: Tensor
    """int64 [N]."""
    mix: Mix | None
    """What the images were mixed with."""
    weight: float
    """Factor of the loss: the batch's share of the step."""


class Stepper:
    """Takes steps with a network.

    Args:
        network: on the device.
        settings: the config's `train` section.
        compute: device and number format.
        loss: what is minimized.
        class_weights: float [C] on the device, factors of the losses of the classes; None: all are 1.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: Train,
        compute: Compute,
        loss: Loss,
        class_weights: Tensor | None,
    ) -> None:
        self.network, self.settings, self.compute, self.loss = network, settings, compute, loss
        self.class_weights = class_weights
        self.parallel_network = compute.processes.data_parallel(network)
        self.optimizer = build_optimizer(
            network,
            settings.optimizer,
            momentum=settings.momentum,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
        )
        self.sums = Sums(compute.device)
        self.lr = torch.zeros((), device=compute.device)
        can_record = compute.device.type == "cuda" and not compute.processes.is_distributed
        self.recorded = Recorded(self._take_recorded) if settings.graph and can_record else None

    def take(self, batches: Iterable[Batch], lr: float) -> None:
        """Take one step over the batches, with this learning rate."""
        if self.recorded:
            (batch,) = batches
            self.recorded(batch.inputs, batch.labels, self.lr.fill_(lr))
            return
        for batch in batches:
            self._add_gradients(batch)
        self._update_weights(lr)

    def _take_recorded(self, inputs: Tensor, labels: Tensor, lr: Tensor) -> None:
        self._add_gradients(Batch(inputs, labels, None, 1.0))
        self._update_weights(lr)

    def _add_gradients(self, batch: Batch) -> None:
        loss = self._loss(batch)
        (loss * batch.weight).backward()  # type: ignore[no-untyped-call]
        self.sums.add(loss.detach(), len(batch.labels))

    def _loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of a batch, with the losses of outliers and auxiliary classifiers added."""
        with self.compute.autocast():
            logits = self.parallel_network(batch.inputs)
        outliers, smoothing = len(batch.inputs) - len(batch.labels), self.settings.label_smoothing
        targets = (batch.labels, outliers, batch.mix, smoothing, self.class_weights)
        loss = self.loss(logits, *targets)
        for weight, auxiliary_logits in take_auxiliary_logits(self.network):
            loss = loss + weight * self.loss(auxiliary_logits, *targets)
        return loss

    def _update_weights(self, lr: float | Tensor) -> None:
        """Clip the gradients and take the optimizer's step."""
        if self.settings.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimizer.step(lr)
        self.optimizer.zero_grad()
        self.sums.end_step()
