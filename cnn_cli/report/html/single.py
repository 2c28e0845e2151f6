"""The report of one run, one checkpoint or one ensemble."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cnn_cli.model.network import load_network
from cnn_cli.report.html.calibration import calibration
from cnn_cli.report.html.curves import curves
from cnn_cli.report.html.markup import Child, Markup
from cnn_cli.report.html.mistakes import confusion, mistakes
from cnn_cli.report.html.page import fallback_warning, headline, note, section, table, warning, write_page
from cnn_cli.report.html.pixels import MAX_FILTERS, filters
from cnn_cli.report.html.settings import commands_section, config_section, environment_section
from cnn_cli.report.html.subject import Subject
from cnn_cli.training.line_metrics import NOTHING, LineMetrics
from cnn_cli.training.metrics import Metrics


def write_report(
    path: Path, subject: Subject, measured: Mapping[str, Any] | None, commands: Mapping[str, str]
) -> None:
    """Write the report of one subject.

    Args:
        path: the HTML file.
        subject: what it is about.
        measured: the machine of the evaluation, as `training.machine` describes it; None without one.
        commands: what repeats the results, by purpose.

    Raises:
        DataError: the file cannot be written, or files of the run are damaged.
    """
    about = f"{_kind(subject)} {subject.name}, on {subject.data()}"
    sections = [part for part in _sections(subject, measured, commands) if part]
    write_page(path, f"Report: {subject.checkpoint.config.name}", about, sections)


def _kind(subject: Subject) -> str:
    if len(subject.checkpoints) > 1:
        return f"The ensemble of {len(subject.checkpoints)} networks"
    return "The run" if subject.folder else "The checkpoint"


def _sections(
    subject: Subject, measured: Mapping[str, Any] | None, commands: Mapping[str, str]
) -> Iterator[Markup | None]:
    metrics, history, evaluation = subject.metrics(), subject.history(), subject.evaluation
    if subject.missing:
        yield missing_note(subject)
    if evaluation and evaluation.is_fallback:
        yield fallback_warning(evaluation.data)
    yield headline(_headline(subject, metrics))
    if history:
        yield curves(history)
    if metrics:
        names = (*subject.classes, NOTHING) if isinstance(metrics, LineMetrics) else subject.classes
        yield confusion(metrics.confusion_matrix, names, evaluation)
        yield per_class(metrics)
    if evaluation:
        yield mistakes(evaluation, subject.classes)
        yield calibration(evaluation)
    if len(subject.checkpoints) == 1:
        yield first_filters(subject)
        yield config_section(subject.checkpoint.config)
    yield environment_section(subject.trained_on(), measured)
    yield commands_section(commands)


def missing_note(subject: Subject) -> Markup:
    """Return what is missing in the report, and why."""
    rest = "The figures below are those that the run wrote at its end." if subject.metrics() else ""
    return warning(
        f"No images: {subject.missing}. So the report has no mistakes, no calibration and no images in the "
        f"confusion matrix. {rest}"
    )


def _headline(subject: Subject, metrics: Metrics | LineMetrics | None) -> Iterator[tuple[str, str, str]]:
    if metrics:
        lines = isinstance(metrics, LineMetrics)
        low, high = metrics.accuracy_interval
        counts = f"{metrics.correct:,} of {metrics.n:,} {'lines' if lines else 'images'}"
        name = "lines exactly right" if lines else "accuracy"
        yield name, f"{metrics.accuracy:.2%}", f"{counts}; 95 % interval {low:.2%} to {high:.2%}"
        yield "loss", f"{metrics.loss:.4f}", f"mean {'of CTC' if lines else 'cross-entropy'} in nats"
    if isinstance(metrics, LineMetrics):
        rate = f"{metrics.character_error_rate:.2%}"
        yield "character error rate", rate, f"of {metrics.characters:,} characters"
    if isinstance(metrics, Metrics):
        yield (
            "calibration error",
            f"{metrics.calibration_error:.4f}",
            "confidence minus accuracy, mean amount",
        )
    if len(subject.checkpoints) == 1:
        summary = subject.summary()
        yield (
            "parameters",
            f"{summary.parameters:,}",
            f"{summary.multiply_adds:,} multiply-adds for one image",
        )
    if history := subject.history():
        kept = next((record.epoch for record in reversed(history) if record.best), len(history))
        seconds = sum(record.seconds for record in history)
        yield "training", duration(seconds), f"{len(history)} epochs; the weights of epoch {kept} were kept"
    if len(subject.checkpoints) == 1 and (parent := subject.checkpoint.parent):
        tested = "not tested" if parent.accuracy is None else f"test accuracy {parent.accuracy:.2%}"
        yield "started from", parent.name, f"trained on {parent.data}, {tested}; SHA-256 {parent.sha256}"


def duration(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def per_class(metrics: Metrics | LineMetrics) -> Markup:
    """Return precision, recall and F1 of every class; the lowest recall first is where to look."""
    rows: list[list[Child]] = [
        [c.label, f"{c.precision:.2%}", f"{c.recall:.2%}", f"{c.f1:.2%}", f"{c.support:,}"]
        for c in metrics.per_class
    ]
    return section(
        "Classes",
        note(
            "Precision: share of the answers with this class that are right. "
            "Recall: share of its images that are answered with it."
        ),
        table(["class", "precision", "recall", "F1", "images"], rows, caption="figures of every class"),
    )


def first_filters(subject: Subject) -> Markup | None:
    """Return the filters of the first layer that has any; None if its weights form no images."""
    from torch import nn

    network, (channels, height, width) = load_network(subject.checkpoint), subject.summary().input_shape
    layers = (module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear))
    weights = next((layer.weight.detach().float() for layer in layers), None)
    if weights is None:
        return None
    if weights.ndim == 2:
        if weights.shape[1] != math.prod((channels, height, width)):
            return None
        weights = weights.view(-1, channels, height, width)
    count, kernels, rows, columns = weights.shape
    kind = (
        "in color; medium gray is zero" if kernels == 3 else "orange is negative, white zero, blue positive"
    )
    limit = f"the first {MAX_FILTERS} of {count}" if count > MAX_FILTERS else f"all {count}"
    text = f"{limit}, {rows}x{columns} pixels each; {kind}."
    return section("Filters of the first layer", note(text.capitalize()), filters(weights.numpy()))
