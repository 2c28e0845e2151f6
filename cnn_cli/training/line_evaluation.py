"""Evaluation of networks for lines on composed lines."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.data.source import Source
from cnn_cli.errors import DataError
from cnn_cli.model.network import load_network
from cnn_cli.training.device import Compute
from cnn_cli.training.evaluation import logits_of
from cnn_cli.training.line_metrics import LineMetrics, measure_lines


@dataclass(frozen=True)
class LineEvaluation:
    """The metrics of a network for lines on one split of its data."""

    data: str
    is_fallback: bool
    split: str
    metrics: LineMetrics

    @property
    def accuracy(self) -> float:
        """Share of the lines whose text is exactly right, 0..1."""
        return self.metrics.accuracy


def evaluate_lines(
    checkpoints: Sequence[Checkpoint], source: Source, split: str, compute: Compute
) -> LineEvaluation:
    """Evaluate a network for lines on a split of its source: `test`, `train` or `validation`.

    Raises:
        DataError: there are several checkpoints, or the source has other classes.
    """
    first = checkpoints[0]
    if len(checkpoints) > 1:
        raise DataError("networks for lines form no ensemble", hint="evaluate them one by one")
    if source.classes != first.classes:
        raise DataError(
            f"{first.path}: reads lines, but {source.name} holds none", hint="leave data.name out"
        )
    images = source.splits[split]()
    network = load_network(first).to(compute.device)
    logits = logits_of(network, images, first.preprocessing, compute)
    metrics = measure_lines(logits, images.labels, source.classes, first.temperature)
    return LineEvaluation(source.name, source.is_fallback, split, metrics)
