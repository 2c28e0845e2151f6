"""What a network is trained for: to classify images, or to read the text of lines."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.data.augment.mixup import Mix
from cnn_cli.training import calibration, ctc
from cnn_cli.training.line_metrics import LineMetrics, measure_lines, score_lines
from cnn_cli.training.loss import cross_entropy
from cnn_cli.training.metrics import Metrics, Score, measure, score

Loss = Callable[[Tensor, Tensor, int, Mix | None, float, Tensor | None], Tensor]
"""The loss of a batch from logits, labels, the number of outliers, a mix, the label smoothing and the weights
of the classes."""


@dataclass(frozen=True)
class Task:
    """The functions of logits and labels in which tasks differ."""

    loss: Loss
    score: Callable[[Tensor, Tensor], Score]
    """What the best epoch is chosen by, from the logits and labels of the validation set."""
    fit_temperature: Callable[[Tensor, Tensor], float]
    """The temperature that calibrates the probabilities, likewise."""
    measure: Callable[[Tensor, Tensor, tuple[str, ...], float], Metrics | LineMetrics]
    """All metrics, from logits, labels, class names and the temperature."""


CLASSIFY = Task(cross_entropy, score, calibration.fit_temperature, measure)
READ_LINES = Task(ctc.ctc_loss, score_lines, ctc.fit_temperature, measure_lines)


def task_of(preprocessing: Preprocessing) -> Task:
    """Return the task of a network that reads what is preprocessed like this."""
    return READ_LINES if preprocessing.kind == "line" else CLASSIFY
