"""`cnn compare`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnn_cli.cli.completion import checkpoint_names
from cnn_cli.cli.help import examples
from cnn_cli.cli.labeled_data import Split, SplitOption, announce, open_data, split_arguments
from cnn_cli.cli.options import Json, describe_data
from cnn_cli.cli.outputs import Report, check_drawings, check_report, command_line, keep_measured
from cnn_cli.errors import BelowBarError, ConfigError, DataError
from cnn_cli.text import shorten

if TYPE_CHECKING:
    from cnn_cli.training.comparison import Comparison, Cost
    from cnn_cli.training.device import Compute
    from cnn_cli.training.evaluation import Evaluation

WIDEST = 50
"""Characters of a setting's value in the table; a longer one, such as a residual layer, is cut."""

EXAMPLES = examples(
    "cnn compare checkpoints/lenet checkpoints/lenet-2",
    "cnn compare lenet runs/new --fail-if-worse --json",
    "cnn compare lenet reader data.name=usps --contact-sheet only-one.png",
)


def compare(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [KEY=VALUE]",
            help="Two checkpoints: files, folders of runs or names of networks that ship. Then settings of "
            "the data or the device, such as data.name=synthetic.",
            autocompletion=checkpoint_names,
        ),
    ],
    split: SplitOption = Split.TEST,
    as_json: Json = False,
    fail_if_worse: Annotated[
        bool, typer.Option("--fail-if-worse", help="Exit with code 4 if B is significantly less accurate.")
    ] = False,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT.png", help="Draw the images that only one of them answers correctly into this PNG."
        ),
    ] = None,
    report: Report = None,
) -> None:
    """Compare two checkpoints on the same labeled images.

    The images are the test set of the data that A was trained on, unless settings say otherwise. McNemar's
    exact test tells whether the accuracies differ by more than chance explains: significant means that p is
    less than 0.05.
    """
    from cnn_cli.checkpoint.choose import choose_checkpoints
    from cnn_cli.checkpoint.file import read
    from cnn_cli.training.comparison import compare as measure

    names, overrides = _arguments(arguments)
    check_report(report)
    check_drawings({"--contact-sheet": contact_sheet}, [])
    files = choose_checkpoints(names, lines=False)
    a, b = map(read, files)
    source, compute = open_data(a, overrides)
    keep_measured({"--contact-sheet": contact_sheet}, report, [a, b], source.paths)
    announce("comparing", files, split, source, compute)
    comparison = measure(a, b, source, split, compute)
    if contact_sheet is not None:
        _draw(comparison, contact_sheet)
    if report is not None:
        command = command_line("compare", arguments, split, report)
        _report(report, comparison, names, compute, command)
    try:
        if as_json:
            _show_json(comparison, files)
        else:
            _show(comparison, names)
    finally:  # also when stdout was closed: a script needs the exit code
        if fail_if_worse:
            _check_not_worse(comparison)


def _arguments(arguments: list[str]) -> tuple[list[Path], list[str]]:
    """Return the names of the two checkpoints, and the settings."""
    named, overrides = split_arguments("compare", arguments)
    if len(named) != 2:
        count = "one checkpoint" if len(named) == 1 else f"{len(named)} checkpoints"
        raise ConfigError(f"compare needs two checkpoints, not {count}", hint="cnn compare A B")
    return named, overrides


def _draw(comparison: "Comparison", path: Path) -> None:
    from cnn_cli import console
    from cnn_cli.report.comparison_sheets import write_contact_sheet
    from cnn_cli.report.comparison_text import classes_of

    total = comparison.counts.only_a + comparison.counts.only_b
    if not total:
        console.message("no contact sheet: no image is answered correctly by only one of them")
        return
    drawn = write_contact_sheet(comparison, classes_of(comparison), path)
    limit = f", {drawn} of {total:,} images" if total > drawn else ""
    console.message(f"contact sheet: {path}{limit} (red frames: only A is right, blue frames: only B)")


def _report(
    path: Path, comparison: "Comparison", names: list[Path], compute: "Compute", command: str
) -> None:
    from cnn_cli import console
    from cnn_cli.report.html.comparison import write_comparison
    from cnn_cli.training.machine import describe

    a, b = map(str, names)
    write_comparison(path, (a, b), comparison, describe(compute), {"Compare them again:": command})
    console.message(f"report: {path}")


def _show_json(comparison: "Comparison", files: list[Path]) -> None:
    from cnn_cli import console

    counts = comparison.counts
    sides = zip(files, (comparison.a, comparison.b), comparison.costs, strict=True)
    a, b = (_side(*side) for side in sides)
    console.json_line(
        {
            "a": a,
            "b": b,
            "difference": counts.difference,
            "difference_interval": counts.difference_interval,
            "p_value": counts.p_value,
            "significant": counts.is_significant,
            "worse": counts.b_is_worse,
            **asdict(counts),
            "n": counts.n,
            "config": [{"key": d.key, "a": d.first, "b": d.second} for d in comparison.config],
            "data": comparison.a.data,
            "fallback": comparison.a.is_fallback,
            "split": comparison.a.split,
        }
    )


def _side(file: Path, evaluation: "Evaluation", cost: "Cost") -> dict[str, Any]:
    """Return what is known of one checkpoint."""
    metrics = evaluation.metrics
    return {
        "checkpoint": str(file),
        "accuracy": metrics.accuracy,
        "accuracy_interval": metrics.accuracy_interval,
        "correct": metrics.correct,
        "loss": metrics.loss,
        "calibration_error": metrics.calibration_error,
        **asdict(cost),
    }


def _show(comparison: "Comparison", names: list[Path]) -> None:
    from cnn_cli import console
    from cnn_cli.report.comparison_text import figures_of_both

    a = comparison.a
    console.facts(
        [("A", str(names[0])), ("B", str(names[1])), ("data", f"{_data(a)}, {a.metrics.n:,} images")]
    )
    console.line("")
    console.table("each alone", ["", "A", "B"], figures_of_both(comparison))
    console.facts(_verdict(comparison))
    if comparison.config:
        console.line("")
        rows_of_config = [
            [d.key, *(shorten(value, WIDEST) for value in d.describe())] for d in comparison.config
        ]
        console.table("settings that differ", ["setting", "A", "B"], rows_of_config, names=3)


def _verdict(comparison: "Comparison") -> list[tuple[str, str]]:
    from cnn_cli.report.comparison_text import conclusion, difference

    counts = comparison.counts
    points, interval = difference(counts)
    alone = f"only A {counts.only_a:,}, only B {counts.only_b:,}"
    return [
        ("B minus A", f"{points}  (95 % interval {interval})"),
        ("McNemar's test", f"p = {counts.p_value:.3g}: {conclusion(counts)}"),
        ("correct", f"both {counts.both:,}, {alone}, neither {counts.neither:,}"),
    ]


def _data(evaluation: "Evaluation") -> str:
    return f"{describe_data(evaluation.data, evaluation.is_fallback)}, {evaluation.split} split"


def _check_not_worse(comparison: "Comparison") -> None:
    if comparison.a.is_fallback:
        raise DataError(
            f"--fail-if-worse applies to the requested data, but {comparison.a.data} digits were used",
            hint="make the data available (cnn data get), or ask for data.name=synthetic",
        )
    if comparison.counts.b_is_worse:
        a, b = (evaluation.metrics.accuracy for evaluation in (comparison.a, comparison.b))
        raise BelowBarError(
            f"B is significantly less accurate than A: {b:.2%} instead of {a:.2%}, "
            f"p = {comparison.counts.p_value:.3g}"
        )
