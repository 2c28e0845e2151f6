"""Learning curves: loss and error over the epochs, of one run or of several."""

from collections.abc import Mapping, Sequence

from cnn_cli.report.html.chart import Axis, Series, axis_up_to, line_chart
from cnn_cli.report.html.markup import Markup
from cnn_cli.report.html.page import details, section, table
from cnn_cli.training.records import EpochRecord

VALIDATION = 1
"""The color of what was measured on validation images; that of training is 0."""


def curves(history: Sequence[EpochRecord]) -> Markup:
    """Return the learning curves of a run with at least one epoch, and its figures in a table."""
    x = _epochs([history])
    losses = [Series("training", [(record.epoch, record.train_loss) for record in history])]
    charts = []
    if history[0].validation_loss is not None:
        losses.append(
            Series("validation", [(r.epoch, r.validation_loss or 0.0) for r in history], VALIDATION)
        )
        best = next((record.epoch for record in reversed(history) if record.best), None)
        errors = Series("validation", _error_points(history), VALIDATION)
        charts.append(_errors([errors], x, ("kept weights", best) if best else None))
    values = [value for line in losses for _, value in line.points]
    charts.insert(0, line_chart(losses, x, axis_up_to("cross-entropy (nats)", values)))
    return section("Learning curves", charts, details("The same in numbers", _table(history)), wide=True)


def curves_of_runs(histories: Mapping[str, Sequence[EpochRecord]]) -> Markup | None:
    """Return the learning curves of several runs in the same charts, or None if no run has any."""
    known = {name: history for name, history in histories.items() if history}
    if not known:
        return None
    x = _epochs(list(known.values()))
    lines = [
        Series(name, [(record.epoch, record.train_loss) for record in history], color)
        for color, (name, history) in enumerate(known.items())
    ]
    values = [value for line in lines for _, value in line.points]
    charts = [line_chart(lines, x, axis_up_to("cross-entropy on training images (nats)", values))]
    errors = [
        Series(name, _error_points(history), color)
        for color, (name, history) in enumerate(known.items())
        if history[0].validation_accuracy is not None
    ]
    if errors:
        charts.append(_errors(errors, x, None))
    return section("Learning curves", charts, wide=True)


def _error_points(history: Sequence[EpochRecord]) -> list[tuple[float, float]]:
    return [(record.epoch, 1 - (record.validation_accuracy or 0.0)) for record in history]


def _errors(lines: Sequence[Series], x: Axis, kept: tuple[str, float] | None) -> Markup:
    values = [value for line in lines for _, value in line.points]
    return line_chart(lines, x, axis_up_to("error on validation images", values, as_percent=True), kept)


def _epochs(histories: Sequence[Sequence[EpochRecord]]) -> Axis:
    last = max(record.epoch for history in histories for record in history)
    return Axis("epoch", 1 if last > 1 else 0, last, whole=True)


def _table(history: Sequence[EpochRecord]) -> Markup:
    rows = [
        [
            f"{record.epoch}{' (kept)' if record.best and record == _last_best(history) else ''}",
            f"{record.train_loss:.4f}",
            f"{record.validation_loss:.4f}" if record.validation_loss is not None else "",
            f"{record.validation_accuracy:.2%}" if record.validation_accuracy is not None else "",
            f"{record.lr:.2e}",
            f"{record.seconds:,.1f}",
        ]
        for record in history
    ]
    columns = ["epoch", "training loss", "validation loss", "validation accuracy", "learning rate", "seconds"]
    return table(columns, rows, caption="figures of every epoch")


def _last_best(history: Sequence[EpochRecord]) -> EpochRecord | None:
    return next((record for record in reversed(history) if record.best), None)
