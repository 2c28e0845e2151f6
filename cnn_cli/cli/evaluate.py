"""`cnn eval`."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.options import Json, is_override
from cnn_cli.errors import BelowBarError, ConfigError, DataError

if TYPE_CHECKING:
    from cnn_cli.engine.metrics import Metrics
    from cnn_cli.tools.evaluate import Evaluation


class Split(StrEnum):
    """Which pictures."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


def evaluate(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CHECKPOINT|KEY=VALUE",
            help="A checkpoint file or a run's folder (without one: as for predict), and settings of data "
            "or of the device, such as data.name=synthetic.",
        ),
    ] = None,
    split: Annotated[Split, typer.Option(help="Which pictures.")] = Split.TEST,
    as_json: Json = False,
    min_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit with code 4 below this accuracy (0.99 is 99 %).")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw confusion matrix and worst mistakes into this PNG.")
    ] = None,
) -> None:
    """Measure a checkpoint on labelled pictures: MNIST's test set, or whatever it was trained on."""
    from cnn_cli import console
    from cnn_cli.config.adjust import override
    from cnn_cli.engine import build
    from cnn_cli.engine.checkpoint import read
    from cnn_cli.tools.choose import choose_checkpoint
    from cnn_cli.tools.evaluate import evaluate as measure

    named, overrides = _split_arguments(arguments or [])
    file = choose_checkpoint(named)
    checkpoint = read(file)
    config = override(checkpoint.config, overrides, str(file))
    compute = build.compute(config.train)
    with console.download_bar() as bar:
        source = build.source(config.data, bar)
    console.message(f"evaluating {file} on the {split} split of {source.name}; {compute.describe()}")
    evaluation = measure(checkpoint, source, split, compute)
    if plot is not None:
        _plot(evaluation, checkpoint.classes, plot)
    try:
        (_show_json if as_json else _show)(evaluation, file)
    finally:  # also when the reader of stdout has left: the exit code is what a script asks for
        if min_accuracy is not None:
            _check_bar(evaluation, min_accuracy)


def _split_arguments(arguments: list[str]) -> tuple[Path | None, list[str]]:
    paths = [argument for argument in arguments if not is_override(argument)]
    if len(paths) > 1:
        raise ConfigError(f"eval takes one checkpoint, not {len(paths)}: {', '.join(paths)}")
    overrides = [argument for argument in arguments if is_override(argument)]
    for argument in overrides:
        if not argument.startswith(SETTINGS):
            raise ConfigError(
                f"argument {argument!r}: eval changes only what is evaluated on",
                hint=f"its settings start with {', '.join(SETTINGS)}",
            )
    return (Path(paths[0]) if paths else None), overrides


SETTINGS = ("data.", "train.device=", "train.precision=", "train.threads=")


def _plot(evaluation: "Evaluation", classes: tuple[str, ...], path: Path) -> None:
    from cnn_cli import console
    from cnn_cli.tools.plots import evaluation_plot

    try:
        evaluation_plot(evaluation, classes, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None
    console.message(f"plot: {path}")


def _show_json(evaluation: "Evaluation", checkpoint: Path) -> None:
    from cnn_cli import console

    console.json_line(
        {
            **asdict(evaluation.metrics),
            "data": evaluation.data,
            "fallback": evaluation.is_fallback,
            "split": evaluation.split,
            "checkpoint": str(checkpoint),
        }
    )


def _show(evaluation: "Evaluation", checkpoint: Path) -> None:
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
            ("checkpoint", str(checkpoint)),
        ]
    )
    rows = [
        [c.label, f"{c.precision:.2%}", f"{c.recall:.2%}", f"{c.f1:.2%}", f"{c.support:,}"]
        for c in metrics.per_class
    ]
    console.table(f"by class, {where}", ["class", "precision", "recall", "F1", "pictures"], rows)
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
