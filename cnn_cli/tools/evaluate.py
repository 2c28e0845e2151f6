"""A checkpoint on labelled pictures: the figures, and the pictures that it gets most wrong."""

from dataclasses import dataclass

from torch import Tensor

from cnn_cli.data.sources import Pictures, Source
from cnn_cli.engine import build
from cnn_cli.engine.checkpoint import Checkpoint
from cnn_cli.engine.committee import members
from cnn_cli.engine.device import Compute
from cnn_cli.engine.evaluate import logits_of
from cnn_cli.engine.metrics import Metrics, measure
from cnn_cli.errors import DataError


@dataclass(frozen=True)
class Evaluation:
    """A checkpoint's figures on one split of one data set."""

    data: str
    is_fallback: bool
    split: str
    metrics: Metrics
    pictures: Pictures
    probabilities: Tensor
    """float64 [N, C], calibrated."""

    def worst(self, count: int) -> Tensor:
        """Indices int64 of up to `count` mistakes, the surest first."""
        confidence, answered = self.probabilities.max(1)
        wrong = (answered != self.pictures.labels).nonzero().squeeze(1)
        return wrong[confidence[wrong].argsort(descending=True, stable=True)][:count]


def evaluate(checkpoint: Checkpoint, source: Source, split: str, compute: Compute) -> Evaluation:
    """Evaluate on the split `test`, `train` or `validation` of a source.

    `train` and `validation` are the pictures that the checkpoint's own run trained on and held out.

    Raises:
        DataError: the source has other classes than the checkpoint, the split is empty, or the members of a
            committee have none in common.
    """
    if source.classes != checkpoint.classes:
        raise DataError(
            f"{source.name} has the classes {', '.join(source.classes)}, "
            f"but the checkpoint knows {', '.join(checkpoint.classes)}"
        )
    pictures = _pictures(checkpoint, source, split)
    if not len(pictures):
        raise DataError(f"the {split} split of {source.name} is empty")
    network = checkpoint.network().to(compute.device)
    logits = logits_of(network, pictures, checkpoint.preparation, compute)
    metrics = measure(logits, pictures.labels, source.classes, checkpoint.temperature)
    probabilities = checkpoint.probabilities(logits)
    return Evaluation(source.name, source.is_fallback, split, metrics, pictures, probabilities)


def _pictures(checkpoint: Checkpoint, source: Source, split: str) -> Pictures:
    if split == "test":
        return source.test()
    cuts = {(member.config.seed, member.config.data.validation) for member in members(checkpoint)}
    if len(cuts) > 1:
        raise DataError(
            f"the checkpoints held out other pictures each: they share no {split} split",
            hint="evaluate one of them, or all on the test split",
        )
    train, validation = build.training_pictures(checkpoint.config, source)
    return train if split == "train" else validation
