"""The report of several runs side by side, with the mean and the spread of their figures."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cnn_cli.config.differences import config_differences
from cnn_cli.report.html.chart import Axis, BareAxis, Plane
from cnn_cli.report.html.curves import curves_of_runs
from cnn_cli.report.html.markup import Child, Markup, element
from cnn_cli.report.html.mistakes import MAX_MISTAKES, hardest
from cnn_cli.report.html.page import fallback_warning, headline, note, section, table, warning, write_page
from cnn_cli.report.html.pixels import gallery, labeled_image
from cnn_cli.report.html.settings import LEFT_OUT, commands_section, environment_section
from cnn_cli.report.html.single import duration
from cnn_cli.report.html.subject import Subject
from cnn_cli.training.evaluation import Evaluation
from cnn_cli.training.metrics import Metrics, wilson_interval
from cnn_cli.training.results import SeedResult

ROW = 22
"""Height of a run in the chart of accuracies, in the units of charts."""


@dataclass(frozen=True)
class Figures:
    """The figures of one run in the table; None where they are not known."""

    name: str
    accuracy: float
    """In 0..1."""
    correct: int
    n: int
    loss: float
    calibration_error: float | None = None
    parameters: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    """Of the training."""


def figures_of(subject: Subject) -> Figures | None:
    """Return the figures of a run, or None if it has neither images nor figures of its own."""
    metrics, history = subject.metrics(), subject.history()
    if metrics is None:
        return None
    return Figures(
        subject.name,
        metrics.accuracy,
        metrics.correct,
        metrics.n,
        metrics.loss,
        metrics.calibration_error if isinstance(metrics, Metrics) else None,
        subject.summary().parameters,
        len(history) or None,
        sum(record.seconds for record in history) if history else None,
    )


def figures_of_seed(result: SeedResult, setting: Mapping[str, Any]) -> Figures:
    """Return the figures of a seed of a benchmark with this setting."""
    return Figures(
        f"seed {result.seed}",
        result.accuracy,
        result.correct,
        result.n,
        result.loss,
        parameters=setting.get("parameters"),
        epochs=result.epochs,
        seconds=result.seconds,
    )


def write_side_by_side(
    path: Path,
    title: str,
    figures: Sequence[Figures],
    subjects: Sequence[Subject],
    machines: tuple[Mapping[str, Any], Mapping[str, Any] | None],
    commands: Mapping[str, str],
) -> None:
    """Write the report of several runs.

    Args:
        path: the HTML file.
        title: its heading.
        figures: the figures of each run that has any, at least one.
        subjects: the runs with their files; none if only their figures are left.
        machines: that of the training of the first run, and that of this report's measurements.
        commands: what repeats the results, by purpose.

    Raises:
        DataError: the file cannot be written, or files of a run are damaged.
    """
    data = sorted({subject.data() for subject in subjects})
    about = f"{len(figures)} runs side by side{', on ' * bool(data)}{'; '.join(data)}"
    evaluations = [subject.evaluation for subject in subjects if subject.evaluation]
    sections = (
        *_warnings(subjects),
        headline(_headline(figures)),
        section("Runs", _table(figures), _accuracies(figures), wide=True),
        curves_of_runs({subject.name: subject.history() for subject in subjects}),
        _recalls(subjects),
        _settings(subjects),
        _hardest(evaluations),
        environment_section(*machines),
        commands_section(commands),
    )
    write_page(path, title, about, [part for part in sections if part])


def _warnings(subjects: Iterable[Subject]) -> Iterator[Markup]:
    for subject in subjects:
        if subject.missing:
            known = (
                "its figures are those that it wrote at its end" if subject.metrics() else "it has no figures"
            )
            yield warning(f"No images for {subject.name}: {subject.missing}; {known}.")
        elif subject.evaluation and subject.evaluation.is_fallback:
            yield fallback_warning(subject.evaluation.data)


def _headline(figures: Sequence[Figures]) -> Iterator[tuple[str, str, str]]:
    accuracies = [run.accuracy for run in figures]
    best, worst = (choose(figures, key=lambda run: run.accuracy) for choose in (max, min))
    mean = f"{100 * statistics.mean(accuracies):.2f} %"
    if len(figures) > 1:
        mean += f" ± {100 * statistics.stdev(accuracies):.2f}"
    yield "accuracy", mean, f"mean and standard deviation of {len(figures)} runs"
    yield "best", f"{best.accuracy:.2%}", best.name
    yield "worst", f"{worst.accuracy:.2%}", worst.name
    yield "loss", f"{statistics.mean(run.loss for run in figures):.4f}", "mean cross-entropy in nats"


def _table(figures: Sequence[Figures]) -> Markup:
    columns = [
        "run",
        "accuracy",
        "95 % interval",
        "loss",
        "calibration error",
        "parameters",
        "epochs",
        "training",
    ]
    rows = [_row(run) for run in figures]
    if len(figures) > 1:
        rows += [_summary("mean", statistics.mean, figures), _summary("deviation", statistics.stdev, figures)]
    foot = 2 if len(figures) > 1 else 0
    return table(columns, rows, caption="figures of every run", foot=foot)


def _row(run: Figures) -> list[Child]:
    low, high = wilson_interval(run.correct, run.n)
    return [
        run.name,
        f"{run.accuracy:.2%}",
        f"{low:.2%} to {high:.2%}",
        f"{run.loss:.4f}",
        "" if run.calibration_error is None else f"{run.calibration_error:.4f}",
        "" if run.parameters is None else f"{run.parameters:,}",
        run.epochs,
        "" if run.seconds is None else duration(run.seconds),
    ]


def _summary(name: str, measure: Callable[[list[float]], float], figures: Sequence[Figures]) -> list[Child]:
    """Return the last rows of the table: a mean or a deviation of the columns where it says something."""
    errors = [run.calibration_error for run in figures if run.calibration_error is not None]
    calibration = f"{measure(errors):.4f}" if len(errors) > 1 else ""
    accuracy, loss = measure([run.accuracy for run in figures]), measure([run.loss for run in figures])
    return [name, f"{accuracy:.2%}", "", f"{loss:.4f}", calibration, "", "", ""]


def _accuracies(figures: Sequence[Figures]) -> Markup:
    """Return a chart with the accuracy of each run and its interval, in the order of the table."""
    intervals = [wilson_interval(run.correct, run.n) for run in figures]
    ends = [end for interval in intervals for end in interval]
    low, high = min(ends), max(ends)
    margin = max(0.05 * (high - low), 1e-4)
    x = Axis("accuracy", max(0.0, low - margin), min(1.0, high + margin), as_percent=True)
    plane = Plane(x, BareAxis("run", 0.0, float(len(figures))), 48 + ROW * len(figures))
    parts = []
    for number, (run, (start, end)) in enumerate(zip(figures, intervals, strict=True)):
        y = len(figures) - number - 0.5
        (left, height), (right, _), (place, _) = (
            plane.at(start, y),
            plane.at(end, y),
            plane.at(run.accuracy, y),
        )
        text = element("title", f"{run.name}: {run.accuracy:.2%}, interval {start:.2%} to {end:.2%}")
        parts.append(element("line", x1=left, y1=height, x2=right, y2=height, class_="line s0"))
        parts.append(element("circle", text, cx=place, cy=height, r=4, class_="dot s0"))
        parts.append(element("text", str(number + 1), x=30, y=height + 4, text_anchor="end"))
    heading = element("p", "accuracy with its 95 % interval, in the order of the table", class_="title")
    return element("figure", heading, plane.draw("accuracy of each run", parts), class_="chart")


def _recalls(subjects: Sequence[Subject]) -> Markup | None:
    """Return the recall of every class in every run; None if the runs have different classes."""
    known = [(subject, metrics) for subject in subjects if (metrics := subject.metrics())]
    if len({subject.classes for subject, _ in known}) != 1:
        return None
    rows: list[list[Child]] = [
        [label, *(f"{metrics.per_class[index].recall:.2%}" for _, metrics in known)]
        for index, label in enumerate(known[0][0].classes)
    ]
    about = note("Recall: share of the images of a class that are answered with it.")
    columns = ["class", *(subject.name for subject, _ in known)]
    return section("Classes", about, table(columns, rows, caption="recall of every class"))


def _settings(subjects: Sequence[Subject]) -> Markup | None:
    """Return the settings that are not the same in all runs."""
    if len(subjects) < 2:
        return None
    first, *others = (subject.checkpoint.config for subject in subjects)
    by_run = [{d.key: d for d in config_differences(first, config, LEFT_OUT)} for config in others]
    differing = {key: difference for found in by_run for key, difference in found.items()}
    if not differing:
        return section("Settings", note("All runs have the same settings."))
    rows: list[list[Child]] = []
    for key, difference in differing.items():
        same = difference.describe()[0]
        rows.append([key, same, *(found[key].describe()[1] if key in found else same for found in by_run)])
    columns = ["setting", *(subject.name for subject in subjects)]
    return section(
        "Settings", note("Where the runs differ:"), table(columns, rows, caption="settings", names=99)
    )


def _hardest(evaluations: Sequence[Evaluation]) -> Markup | None:
    """Return the images that most runs read wrongly; None if they did not read the same images."""
    if len(evaluations) < 2 or not all(_same_images(evaluations[0], other) for other in evaluations[1:]):
        return None
    indices, counts = hardest(evaluations, MAX_MISTAKES)
    classes = tuple(figures.label for figures in evaluations[0].metrics.per_class)
    images = evaluations[0].images
    answers = torch.stack([evaluation.answers[indices] for evaluation in evaluations]).mode(0).values
    columns = images.take(indices).numpy(), images.labels[indices].tolist(), answers.tolist(), counts.tolist()
    figures = [
        labeled_image(
            pixels,
            f"{classes[true]} read as {classes[answer]}",
            (f"{classes[true]} read as {classes[answer]}", f"{count} of {len(evaluations)} wrong"),
        )
        for pixels, true, answer, count in zip(*columns, strict=True)
    ]
    about = note("The images that most runs read wrongly, with the most frequent answer.")
    return section("The hardest images", about, gallery(figures), wide=True)


def _same_images(one: Evaluation, other: Evaluation) -> bool:
    same_set = (one.data, one.split) == (other.data, other.split)
    return same_set and torch.equal(one.images.labels, other.images.labels)
