"""Images of results. matplotlib is imported when one is drawn: it takes half a second."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_cli.files import write_png
from cnn_cli.training.records import EpochRecord

if TYPE_CHECKING:
    from cnn_cli.training.evaluation import Evaluation

DPI = 120
WORST = 24
"""Mistakes that are shown."""


def learning_curve(history: Sequence[EpochRecord], title: str, path: Path) -> None:
    """Loss and accuracy over the epochs, as a PNG."""
    validated = history[0].validation_accuracy is not None
    figure = _figure(9 if validated else 4.5, 4)
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
    _save(figure, path)


def evaluation_plot(evaluation: "Evaluation", classes: tuple[str, ...], path: Path) -> None:
    """The confusion matrix beside the surest mistakes, as a PNG."""
    from cnn_cli.report.contact_sheet import contact_sheet

    metrics, worst = evaluation.metrics, evaluation.worst(WORST)
    figure = _figure(14, 6.5)
    matrix, mistakes = figure.subplots(1, 2)
    _draw_matrix(matrix, metrics.confusion_matrix, classes)
    matrix.set_title(f"{evaluation.data} {evaluation.split}: {metrics.accuracy:.2%} of {metrics.n:,}")
    mistakes.axis("off")
    if len(worst):
        confidence, answered = evaluation.probabilities[worst].max(1)
        captions = [
            f"{classes[true]} read as {classes[said]}\n{share:.0%}"
            for true, said, share in zip(
                evaluation.images.labels[worst].tolist(),
                answered.tolist(),
                confidence.tolist(),
                strict=True,
            )
        ]
        mistakes.imshow(contact_sheet(evaluation.images.take(worst).numpy(), captions, columns=6))
    mistakes.set_title("the surest mistakes" if len(worst) else "no mistakes")
    _save(figure, path)


def _draw_matrix(axes: Any, matrix: Sequence[Sequence[int]], classes: tuple[str, ...]) -> None:
    """Counts in cells whose color is the share of the row, mistakes enlarged so that they show."""
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


def _figure(width: float, height: float) -> Any:
    """A figure without pyplot: no window system, no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: Path) -> None:
    write_png(path, lambda file: figure.savefig(file, dpi=DPI, format="png"))
