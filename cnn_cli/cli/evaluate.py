"""`cnn eval`."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.options import Json, is_override
from cnn_cli.errors import BelowBarError, ConfigError, DataError

if TYPE_CHECKING:
    from cnn_cli.training.evaluation import Evaluation
    from cnn_cli.training.metrics import Metrics


class Split(StrEnum):
    """Which images."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


def evaluate(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CHECKPOINT|KEY=VALUE",
            help="A checkpoint file or a run's folder (without one: as for predict; of several the mean of "
            "their probabilities), and settings of data or of the device, such as data.name=synthetic.",
        ),
    ] = None,
    split: Annotated[Split, typer.Option(help="Which images.")] = Split.TEST,
    as_json: Json = False,
    min_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit with code 4 below this accuracy (0.99 is 99 %).")
    ] = None,
    tta: Annotated[
        int,
        typer.Option(
            min=1, max=100, help="Measure, as well, the mean answer to so many copies of each image."
        ),
    ] = 1,
    plot: Annotated[
        Path | None, typer.Option(help="Draw confusion matrix and worst mistakes into this PNG.")
    ] = None,
) -> None:
    """Measure a checkpoint on labeled images: MNIST's test set, or whatever it was trained on.

    Several checkpoints answer together. With --tta (test-time augmentation) the figures of the images as
    they are come first; those of the same images a little shifted and turned follow by themselves.
    """
    from cnn_cli.checkpoint.choose import choose_checkpoints

    named, overrides = _split_arguments(arguments or [])
    files = choose_checkpoints(named)
    evaluation, viewed = _measure(files, overrides, split, tta)
    if plot is not None:
        _plot(evaluation, plot)
    checkpoint = " + ".join(map(str, files))
    try:
        (_show_json if as_json else _show)(evaluation, checkpoint)
        if viewed is not None:
            _show_viewed(viewed, tta, checkpoint, as_json)
    finally:  # also when the reader of stdout has left: the exit code is what a script asks for
        if min_accuracy is not None:
            _check_bar(evaluation, min_accuracy)


def _measure(
    files: list[Path], overrides: list[str], split: Split, copies: int
) -> "tuple[Evaluation, Evaluation | None]":
    """The figures of the images as they are and, where more than one is asked for, of so many copies."""
    from cnn_cli import console
    from cnn_cli.checkpoint.file import read
    from cnn_cli.config.adjust import override
    from cnn_cli.data.source import Access
    from cnn_cli.data.sources import open_source
    from cnn_cli.training.device import compute_for
    from cnn_cli.training.evaluation import evaluate as measure

    checkpoints = [read(file) for file in files]
    config = override(checkpoints[0].config, overrides, str(files[0]))
    compute = compute_for(config.train)
    with console.download_bar() as bar:
        source = open_source(config.data, Access(bar))
    names = " + ".join(map(str, files))
    console.message(f"evaluating {names} on the {split} split of {source.name}; {compute.describe()}")
    plain = measure(checkpoints, source, split, compute)
    return plain, measure(checkpoints, source, split, compute, copies) if copies > 1 else None


def _split_arguments(arguments: list[str]) -> tuple[list[Path], list[str]]:
    paths = [Path(argument) for argument in arguments if not is_override(argument)]
    overrides = [argument for argument in arguments if is_override(argument)]
    for argument in overrides:
        if not argument.startswith(SETTINGS):
            raise ConfigError(
                f"argument {argument!r}: eval changes only what is evaluated on",
                hint=f"its settings start with {', '.join(SETTINGS)}",
            )
    return paths, overrides


SETTINGS = ("data.", "train.device=", "train.precision=", "train.threads=")


def _plot(evaluation: "Evaluation", path: Path) -> None:
    from cnn_cli import console
    from cnn_cli.report.plots import evaluation_plot

    classes = tuple(figures.label for figures in evaluation.metrics.per_class)
    evaluation_plot(evaluation, classes, path)
    console.message(f"plot: {path}")


def _show_json(evaluation: "Evaluation", checkpoint: str, copies: int = 1) -> None:
    from cnn_cli import console

    console.json_line(
        {
            **asdict(evaluation.metrics),
            "data": evaluation.data,
            "fallback": evaluation.is_fallback,
            "split": evaluation.split,
            "copies": copies,
            "checkpoint": checkpoint,
        }
    )


def _show_viewed(evaluation: "Evaluation", copies: int, checkpoint: str, as_json: bool) -> None:
    """The figures with test-time augmentation, apart from those without."""
    from cnn_cli import console

    if as_json:
        _show_json(evaluation, checkpoint, copies)
    else:
        metrics = evaluation.metrics
        facts = [("accuracy", console.accuracy(metrics)), ("loss", f"{metrics.loss:.4f}")]
        console.facts([(f"{name}, {copies} copies", value) for name, value in facts])


def _show(evaluation: "Evaluation", checkpoint: str) -> None:
    from cnn_cli import console

    metrics = evaluation.metrics
    where = f"{evaluation.data} {evaluation.split}"
    console.facts(
        [
            ("accuracy", console.accuracy(metrics)),
            ("loss", f"{metrics.loss:.4f}"),
            ("calibration error", _calibration(metrics)),
            *((f"top {k}", f"{share:.2%}") for k, share in metrics.top_k.items() if k > 1),
            ("data", where),
            ("checkpoint", checkpoint),
        ]
    )
    rows = [
        [c.label, f"{c.precision:.2%}", f"{c.recall:.2%}", f"{c.f1:.2%}", f"{c.support:,}"]
        for c in metrics.per_class
    ]
    console.table(f"by class, {where}", ["class", "precision", "recall", "F1", "images"], rows)
    labels = [c.label for c in metrics.per_class]
    counts = [[label, *map(str, row)] for label, row in zip(labels, metrics.confusion_matrix, strict=True)]
    console.table(f"confusion matrix, {where} (rows: true, columns: answered)", ["", *labels], counts)


def _calibration(metrics: "Metrics") -> str:
    """The error of the probabilities as they are shown, and without their temperature."""
    before = f" ({metrics.uncalibrated_error:.4f} without temperature {metrics.temperature:.2f})"
    return f"{metrics.calibration_error:.4f}{before if metrics.temperature != 1 else ''}"


def _check_bar(evaluation: "Evaluation", bar: float) -> None:
    if evaluation.is_fallback:
        raise DataError(
            f"the bar of {bar:.2%} is for real data, but {evaluation.data} digits stand in for it",
            hint="make the data available (cnn data get), or name data.name=synthetic on purpose",
        )
    if evaluation.metrics.accuracy < bar:
        raise BelowBarError(f"accuracy {evaluation.metrics.accuracy:.2%} is below the bar of {bar:.2%}")
