"""Plots of results. matplotlib is imported when one is drawn, because the import takes half a second."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_cli.files import write_png
from cnn_cli.report.confusion import MAX_CLASSES, ConfusedPair, worst_pairs
from cnn_cli.text import one_line
from cnn_cli.training.records import EpochRecord

if TYPE_CHECKING:
    from cnn_cli.checkpoint.run_folder import RunFolder
    from cnn_cli.training.evaluation import Evaluation
    from cnn_cli.training.run import Run

log = logging.getLogger(__name__)

DPI = 120
MAX_MISTAKES = 24
"""Upper limit of mistakes that are shown."""


def plot_learning_curve(run: "Run", folder: "RunFolder") -> None:
    """Draw the learning curve of a run into its folder, if its config asks for one.

    A failure is only a warning: it must not hide the result of the training.
    """
    if not (run.config.output.plot and run.loop.history and run.compute.processes.is_main):
        return
    try:
        learning_curve(run.loop.history, f"{run.config.name} on {run.source.name}", folder.curve)
    except Exception as error:
        log.warning("the learning curve cannot be drawn: %s", one_line(error))


def learning_curve(history: Sequence[EpochRecord], title: str, path: Path) -> None:
    """Draw loss and error over the epochs as a PNG."""
    validated = history[0].validation_accuracy is not None
    with _figure(9 if validated else 4.5, 4, path) as figure:
        _draw_curves(figure, history, title)


def _draw_curves(figure: Any, history: Sequence[EpochRecord], title: str) -> None:
    validated = history[0].validation_accuracy is not None
    losses, *others = figure.subplots(1, 2 if validated else 1, squeeze=False)[0]
    epochs = [record.epoch for record in history]
    losses.plot(epochs, [record.train_loss for record in history], marker=".", label="training")
    for accuracies in others:
        losses.plot(epochs, [record.validation_loss for record in history], marker=".", label="validation")
        errors = [100 * (1 - (record.validation_accuracy or 0.0)) for record in history]
        accuracies.plot(epochs, errors, marker=".", color="tab:orange", label="validation")
        accuracies.set(xlabel="epoch", ylabel="error (%)", title="share of wrong answers", ylim=(0, None))
    losses.set(xlabel="epoch", ylabel="cross-entropy (nats)", title=title, ylim=(0, None))
    losses.legend()


def evaluation_plot(evaluation: "Evaluation", classes: tuple[str, ...], path: Path) -> None:
    """Draw the confusion matrix beside the most confident mistakes as a PNG.

    Of more than `MAX_CLASSES` classes, the most frequent mistakes are drawn instead of the matrix.
    """
    metrics = evaluation.metrics
    with _figure(14, 6.5, path) as figure:
        confusion, mistakes = figure.subplots(1, 2)
        if len(classes) > MAX_CLASSES:
            _draw_pairs(confusion, worst_pairs(metrics.confusion_matrix, classes))
        else:
            _draw_matrix(confusion, metrics.confusion_matrix, classes)
        confusion.set_title(f"{evaluation.data} {evaluation.split}: {metrics.accuracy:.2%} of {metrics.n:,}")
        _draw_mistakes(mistakes, evaluation, classes)


def _draw_mistakes(axes: Any, evaluation: "Evaluation", classes: tuple[str, ...]) -> None:
    """Draw a contact sheet of the most confident mistakes."""
    from cnn_cli.report.contact_sheet import contact_sheet

    worst = evaluation.worst(MAX_MISTAKES)
    axes.axis("off")
    axes.set_title("the most confident mistakes" if len(worst) else "no mistakes")
    if not len(worst):
        return
    confidence, answered = evaluation.probabilities[worst].max(1)
    columns = evaluation.images.labels[worst], answered, confidence
    captions = [
        f"{classes[true]} read as {classes[answer]}\n{share:.0%}"
        for true, answer, share in zip(*(column.tolist() for column in columns), strict=True)
    ]
    axes.imshow(contact_sheet(evaluation.images.take(worst).numpy(), captions, columns=6))


def _draw_pairs(axes: Any, pairs: Sequence[ConfusedPair]) -> None:
    """Draw a bar for each pair of a true class and a wrong answer, the most frequent at the top."""
    places = range(len(pairs))
    axes.barh(places, [pair.count for pair in pairs], color="tab:blue")
    axes.set(
        xlabel="images (share of the true class)",
        yticks=places,
        yticklabels=[f"{pair.true} read as {pair.answered}" for pair in pairs],
    )
    for place, pair in zip(places, pairs, strict=True):
        axes.text(pair.count, place, f" {pair.count:,} ({pair.share:.1%})", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.2)


def _draw_matrix(axes: Any, matrix: Sequence[Sequence[int]], classes: tuple[str, ...]) -> None:
    """Draw counts in cells. The color is the share of the row to the power 0.4: it shows rare mistakes."""
    shares = [[count / max(1, sum(row)) for count in row] for row in matrix]
    axes.imshow([[share**0.4 for share in row] for row in shares], cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(classes))
    axes.set(
        xlabel="answered", ylabel="true", xticks=ticks, yticks=ticks, xticklabels=classes, yticklabels=classes
    )
    for row in ticks:
        for column in ticks:
            color = "white" if shares[row][column] > 0.3 else "black"
            axes.text(
                column, row, f"{matrix[row][column]}", ha="center", va="center", color=color, fontsize=8
            )


@contextmanager
def _figure(width: float, height: float, path: Path) -> Iterator[Any]:
    """Yield a figure to draw into, without pyplot, which would need a window system; then write it as a PNG.

    Text is drawn as it is. A dollar sign in the name of a folder or a class starts no formula: most that
    follows one cannot be parsed.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"text.parse_math": False}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    write_png(path, lambda file: figure.savefig(file, dpi=DPI, format="png"))
