"""Distillation: a network learns the answers of another one beside the labels.

Hinton, Vinyals, Dean: Distilling the knowledge in a neural network, arXiv 1503.02531.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_cli.config import schema
from cnn_cli.data.inputs import Preparation
from cnn_cli.engine import checkpoint, device
from cnn_cli.engine.device import Compute
from cnn_cli.engine.folder import checkpoint_file
from cnn_cli.errors import ConfigError

SOFTNESS = 4.0
"""What divides both networks' logits, so that the unlikely classes count: between the paper's 2.5 and 8."""


@dataclass(frozen=True)
class Lesson:
    """What the teacher says of a batch."""

    answers: Tensor
    """Logits float32 [N, C]."""
    share: float
    """Of the loss, 0..1; the rest is that of the labels."""

    def blend(self, loss: Tensor, logits: Tensor) -> Tensor:
        """The labels' loss, and the distance of the learner's logits [N, C], by their shares."""
        return (1 - self.share) * loss + self.share * distance(logits, self.answers)


@dataclass(frozen=True)
class Teacher:
    """A trained network that is asked about every training picture."""

    network: nn.Module
    preparation: Preparation
    compute: Compute
    layout: torch.memory_format
    share: float
    """Of the loss."""

    @torch.no_grad()
    def lesson(self, pixels: Tensor) -> Lesson:
        """The answers to pixels float [N, C, H, W] in 0..1, which are what the learner sees."""
        inputs = self.preparation.normalise(pixels.clone()).contiguous(memory_format=self.layout)
        with self.compute.autocast():
            return Lesson(self.network(inputs).float(), self.share)


def distance(logits: Tensor, answers: Tensor) -> Tensor:
    """Mean divergence of the softened answers float [N, C] from the learner's, times `SOFTNESS` squared.

    The square keeps the size of the gradient, whatever the softness (section 2 of the paper).
    """
    ours, theirs = ((each.float() / SOFTNESS).log_softmax(1) for each in (logits, answers))
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True) * SOFTNESS**2


def teacher_of(
    settings: schema.Train, classes: tuple[str, ...], seen: Preparation, compute: Compute
) -> Teacher | None:
    """The teacher that the config names, on the run's device; None where it names none.

    Raises:
        ConfigError: it knows other classes, or reads pictures in another way.
        DataError: it cannot be read.
    """
    if settings.teacher is None:
        return None
    trained = checkpoint.read(checkpoint_file(Path(settings.teacher)))
    theirs = trained.preparation
    if trained.classes != classes or replace(theirs, mean=seen.mean, std=seen.std) != seen:
        raise ConfigError(
            f"train.teacher: {settings.teacher} knows other classes, or reads other pictures than the run",
            hint="choose a network that was trained on the same kind of data, in the same size",
        )
    own = trained.config.train
    layout = torch.channels_last if own.channels_last else torch.contiguous_format
    network = trained.network().to(compute.device, memory_format=layout)  # type: ignore[call-overload]
    precision = device.precision_of(own.precision, compute.device)
    return Teacher(network, theirs, replace(compute, precision=precision), layout, settings.teacher_share)
