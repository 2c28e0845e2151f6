"""What a report is about: a run or checkpoints, with everything that is known of them."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.errors import DataError
from cnn_cli.json_text import parse_json
from cnn_cli.model.network import input_shape, network_for
from cnn_cli.model.summary import NetworkSummary, summarize
from cnn_cli.training.evaluation import Evaluation
from cnn_cli.training.line_metrics import LineMetrics
from cnn_cli.training.metrics import ClassMetrics, Metrics
from cnn_cli.training.records import EpochRecord


@dataclass(frozen=True)
class Subject:
    """A checkpoint, or several as an ensemble, and the run that it comes from."""

    name: str
    checkpoints: tuple[Checkpoint, ...]
    folder: RunFolder | None = None
    """The folder of the run; None for a checkpoint elsewhere, and for an ensemble."""
    evaluation: Evaluation | None = None
    """The answers to the images of a split."""
    missing: str = ""
    """Why there is no evaluation."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The first of the checkpoints."""
        return self.checkpoints[0]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.checkpoint.classes

    def recorded(self) -> dict[str, Any]:
        """Return what the run wrote at its end, or nothing if it is not finished or not known."""
        return self.folder.read_metrics() if self.folder and self.folder.finished else {}

    def trained_on(self) -> dict[str, Any]:
        """Return machine and versions of the training, as far as they were recorded."""
        return {"versions": self.checkpoint.versions} | self.recorded()

    def metrics(self) -> Metrics | LineMetrics | None:
        """Return the metrics of the evaluation, else those that the run wrote at its end, else None."""
        if self.evaluation:
            return self.evaluation.metrics
        recorded = self.recorded()
        return _metrics(recorded.get("test")) if recorded else None

    def data(self) -> str:
        """Return the data and the split that the metrics are about."""
        if self.evaluation:
            return f"{self.evaluation.data}, {self.evaluation.split} split"
        return f"{self.recorded().get('data', self.checkpoint.data)}, test split"

    def history(self) -> list[EpochRecord]:
        """Return the epochs of the run; none if they are not known."""
        if self.folder is None or not self.folder.history.is_file():
            return []
        names = {field.name for field in fields(EpochRecord)}
        try:
            lines = map(parse_json, self.folder.history.read_text().splitlines())
            return [EpochRecord(**{name: line[name] for name in names & line.keys()}) for line in lines]
        except (OSError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{self.folder.history}: cannot be read: {error}") from None

    def summary(self) -> NetworkSummary:
        """Return the summary of the first checkpoint's network."""
        config = self.checkpoint.config
        return summarize(network_for(config, len(self.classes)), input_shape(config))


def run_folder_of(checkpoint: Path) -> RunFolder | None:
    """Return the run's folder that a checkpoint file is in, or None if it is elsewhere."""
    folder = RunFolder(checkpoint.parent)
    return folder if folder.checkpoint == checkpoint and folder.config.is_file() else None


def _metrics(values: Any) -> Metrics | LineMetrics:
    """Return the metrics from the JSON of a run."""
    try:
        shared = values | {
            "accuracy_interval": tuple(values["accuracy_interval"]),
            "per_class": tuple(ClassMetrics(**figures) for figures in values["per_class"]),
            "confusion_matrix": tuple(map(tuple, values["confusion_matrix"])),
        }
        if "character_error_rate" in values:
            return LineMetrics(**shared)
        return Metrics(**shared | {"top_k": {int(k): share for k, share in values["top_k"].items()}})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"the figures of a run cannot be read: {error}", hint="evaluate it with cnn eval"
        ) from None
