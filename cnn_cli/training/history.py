"""The epochs of a run so far: which is the best, and whether the next ones are worth waiting for."""

from collections.abc import Sequence

from cnn_cli.training.metrics import Score
from cnn_cli.training.records import EpochRecord


def best_record(history: Sequence[EpochRecord]) -> EpochRecord | None:
    """Return the record of the best epoch, whose weights are kept."""
    return next((record for record in reversed(history) if record.best), None)


def is_best(history: Sequence[EpochRecord], score: Score | None) -> bool:
    """Return whether the accuracy is the highest, or equal with a lower loss; always True without a score."""
    best = best_record(history)
    if best is None or score is None:
        return True
    return (score.accuracy, -score.loss) > (best.validation_accuracy or 0.0, -(best.validation_loss or 0.0))


def out_of_patience(history: Sequence[EpochRecord], patience: int) -> bool:
    """Return whether the last `patience` epochs were not better; never with a patience of 0."""
    best = best_record(history)
    return bool(patience and best and len(history) - best.epoch >= patience)
