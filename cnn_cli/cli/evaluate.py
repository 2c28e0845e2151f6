"""`cnn eval`."""

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.bar import bar_error
from cnn_cli.cli.completion import checkpoint_names
from cnn_cli.cli.evaluate_lines import check_no_images, evaluate_lines
from cnn_cli.cli.help import examples
from cnn_cli.cli.labeled_data import Split, SplitOption, announce, open_data, split_arguments
from cnn_cli.cli.options import Checkpoints, Json, describe_data
from cnn_cli.cli.outputs import Report, check_drawings, check_report, command_line, keep_measured
from cnn_cli.errors import CnnError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnn_cli.checkpoint.file import Checkpoint
    from cnn_cli.training.device import Compute
    from cnn_cli.training.evaluation import Evaluation
    from cnn_cli.training.metrics import Metrics

EXAMPLES = examples(
    "cnn eval checkpoints/lenet",
    "cnn eval -k runs/a -k runs/b --tta 9",
    "cnn eval runs/a data.name=usps --json --min-accuracy 0.9",
    "cnn eval runs/a --report report.html",
)


def evaluate(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CHECKPOINT|KEY=VALUE",
            help="Checkpoints, as for --checkpoint, and settings of the data or the device, such as "
            "data.name=synthetic.",
            autocompletion=checkpoint_names,
        ),
    ] = None,
    checkpoint: Checkpoints = None,
    split: SplitOption = Split.TEST,
    as_json: Json = False,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="NUMBER", help="Exit with code 4 below this accuracy (0.99 is 99 %)."
        ),
    ] = None,
    tta: Annotated[
        int,
        typer.Option(
            min=1,
            max=100,
            metavar="N",
            help="Also report accuracy averaged over N augmented copies of each image.",
        ),
    ] = 1,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT.png", help="Draw the confusion matrix and the most confident mistakes into this PNG."
        ),
    ] = None,
    github: Annotated[
        bool,
        typer.Option(
            "--github",
            help="In a step of GitHub Actions: add a table to its summary, and annotate the workflow.",
        ),
    ] = False,
    report: Report = None,
) -> None:
    """Measure the accuracy of a checkpoint on labeled images.

    The images are the test set of the data that it was trained on, unless settings say otherwise. Several
    checkpoints are evaluated as an ensemble. With --tta (test-time augmentation) the figures of the unchanged
    images come first; those of slightly shifted and rotated copies follow separately.
    """
    from cnn_cli.checkpoint.choose import choose_checkpoints
    from cnn_cli.checkpoint.file import read
    from cnn_cli.training.evaluation import evaluate as measure

    summary = _summary_file() if github else None
    named, overrides = split_arguments("eval", arguments or [])
    check_report(report)
    check_drawings({"--plot": plot}, [])
    files = choose_checkpoints([*(checkpoint or []), *named])
    checkpoints = [read(file) for file in files]
    if checkpoints[0].preprocessing.kind == "line":
        check_no_images({"--tta": tta > 1, "--plot": plot, "--github": github, "--report": report})
        evaluate_lines(checkpoints, files, overrides, split, as_json, min_accuracy)
        return
    source, compute = open_data(checkpoints[0], overrides)
    keep_measured({"--plot": plot}, report, checkpoints, source.paths)
    announce("evaluating", files, split, source, compute)
    evaluation = measure(checkpoints, source, split, compute)
    augmented = measure(checkpoints, source, split, compute, tta) if tta > 1 else None
    names = " + ".join(map(str, files))
    with ExitStack() as then:  # also when stdout was closed, from the last to the first: files, exit code
        failure = None if min_accuracy is None else bar_error(evaluation, min_accuracy)
        if failure is not None:
            then.callback(_raise, failure)
        if summary is not None:
            then.callback(_report_to_github, evaluation, names, min_accuracy, failure, summary)
        if report is not None:
            words = [*map(str, [*(checkpoint or []), *named]), *overrides]
            command = command_line("eval", words, split, report)
            then.callback(_report, report, names, checkpoints, evaluation, compute, command)
        if plot is not None:
            then.callback(_plot, evaluation, plot)
        (_show_json if as_json else _show)(evaluation, names)
        if augmented is not None:
            _show_augmented(augmented, tta, names, as_json)


def _raise(error: CnnError) -> None:
    raise error


def _plot(evaluation: "Evaluation", path: Path) -> None:
    from cnn_cli import console
    from cnn_cli.report.plots import evaluation_plot

    classes = tuple(figures.label for figures in evaluation.metrics.per_class)
    evaluation_plot(evaluation, classes, path)
    console.message(f"plot: {path}")


def _report(
    path: Path,
    name: str,
    checkpoints: "Sequence[Checkpoint]",
    evaluation: "Evaluation",
    compute: "Compute",
    command: str,
) -> None:
    from cnn_cli import console
    from cnn_cli.report.html.single import write_report
    from cnn_cli.report.html.subject import Subject, run_folder_of
    from cnn_cli.training.machine import describe

    file = checkpoints[0].path
    folder = run_folder_of(file) if file and len(checkpoints) == 1 else None
    subject = Subject(name, tuple(checkpoints), folder, evaluation)
    write_report(path, subject, describe(compute), {"Measure it and write this report again:": command})
    console.message(f"report: {path}")


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


def _show_augmented(evaluation: "Evaluation", copies: int, checkpoint: str, as_json: bool) -> None:
    """Show the figures of the answers that are averaged over augmented copies."""
    from cnn_cli import console

    if as_json:
        _show_json(evaluation, checkpoint, copies)
    else:
        metrics = evaluation.metrics
        facts = [("accuracy", console.accuracy(metrics)), ("loss", f"{metrics.loss:.4f}")]
        console.facts([(f"{name}, {copies} augmented copies", value) for name, value in facts])


def _show(evaluation: "Evaluation", checkpoint: str) -> None:
    from cnn_cli import console

    metrics = evaluation.metrics
    where = f"{describe_data(evaluation.data, evaluation.is_fallback)}, {evaluation.split} split"
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
    console.classes(metrics.per_class, where, "class", "images")
    _show_confusion(metrics, where)


def _show_confusion(metrics: "Metrics", where: str) -> None:
    """Show the confusion matrix, or the most frequent mistakes if there are too many classes for a matrix."""
    from cnn_cli import console
    from cnn_cli.report.confusion import MAX_CLASSES, worst_pairs

    labels = tuple(c.label for c in metrics.per_class)
    if len(labels) > MAX_CLASSES:
        pairs = worst_pairs(metrics.confusion_matrix, labels)
        rows = [[pair.true, pair.answered, f"{pair.count:,}", f"{pair.share:.2%}"] for pair in pairs]
        title = f"most frequent mistakes, {where} (share: of the images of the true class)"
        console.table(title, ["true", "answered", "count", "share"], rows, names=2)
        return
    counts = [[label, *map(str, row)] for label, row in zip(labels, metrics.confusion_matrix, strict=True)]
    console.table(f"confusion matrix, {where} (rows: true, columns: answered)", ["", *labels], counts)


def _calibration(metrics: "Metrics") -> str:
    """Return the calibration error of the probabilities, and the error without their temperature."""
    before = f" ({metrics.uncalibrated_error:.4f} without temperature {metrics.temperature:.2f})"
    return f"{metrics.calibration_error:.4f}{before if metrics.temperature != 1 else ''}"


def _summary_file() -> Path:
    from cnn_cli.report.github import summary_file

    return summary_file()


def _report_to_github(
    evaluation: "Evaluation", checkpoint: str, bar: float | None, failure: "CnnError | None", path: Path
) -> None:
    from cnn_cli import console
    from cnn_cli.report.github import annotation, append_summary, result_annotation, summary

    append_summary(path, summary(evaluation, checkpoint, bar))
    console.workflow_command(
        annotation("error", "cnn eval", failure.message)
        if failure
        else result_annotation(evaluation, checkpoint)
    )
