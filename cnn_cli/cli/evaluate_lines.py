"""`cnn eval` of a network for lines."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from cnn_cli.cli.bar import bar_error
from cnn_cli.cli.labeled_data import Split, announce, open_data
from cnn_cli.cli.options import describe_data
from cnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from cnn_cli.checkpoint.file import Checkpoint
    from cnn_cli.training.line_evaluation import LineEvaluation


def check_no_images(options: Mapping[str, object]) -> None:
    """Check that no option is given that shows or changes single images.

    Raises:
        ConfigError: one of the options, by name, is given.
    """
    given = [name for name, value in options.items() if value]
    if given:
        raise ConfigError(
            f"{given[0]} is for networks that read single images, and this one reads lines",
            hint="cnn report RUN shows the figures of a run on lines",
        )


def evaluate_lines(
    checkpoints: "Sequence[Checkpoint]",
    files: "Sequence[Path]",
    overrides: Sequence[str],
    split: Split,
    as_json: bool,
    min_accuracy: float | None,
) -> None:
    """Measure a network for lines, show its figures, and check the bar."""
    from cnn_cli.training import line_evaluation

    source, compute = open_data(checkpoints[0], overrides)
    announce("evaluating", files, split, source, compute)
    name = " + ".join(map(str, files))
    evaluation = line_evaluation.evaluate_lines(checkpoints, source, split, compute)
    try:
        (_show_json if as_json else _show)(evaluation, name)
    finally:  # also when stdout was closed: a script needs the exit code
        failure = None if min_accuracy is None else bar_error(evaluation, min_accuracy)
        if failure is not None:
            raise failure


def _show_json(evaluation: "LineEvaluation", name: str) -> None:
    from cnn_cli import console

    about = {"data": evaluation.data, "fallback": evaluation.is_fallback, "split": evaluation.split}
    console.json_line({**asdict(evaluation.metrics), **about, "checkpoint": name})


def _show(evaluation: "LineEvaluation", name: str) -> None:
    from cnn_cli import console

    metrics = evaluation.metrics
    where = f"{describe_data(evaluation.data, evaluation.is_fallback)}, {evaluation.split} split"
    console.facts(
        [
            ("lines exactly right", console.accuracy(metrics)),
            (
                "character error rate",
                f"{metrics.character_error_rate:.2%} of {metrics.characters:,} characters",
            ),
            ("loss", f"{metrics.loss:.4f}"),
            ("data", where),
            ("checkpoint", name),
        ]
    )
    console.classes(metrics.per_class, where, "character", "count")
