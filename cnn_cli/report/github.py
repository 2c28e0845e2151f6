"""An evaluation as GitHub Actions shows it: a table in the summary of the step, and an annotation."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cnn_cli.errors import ConfigError, unwritable
from cnn_cli.files import write_text

if TYPE_CHECKING:
    from cnn_cli.training.evaluation import Evaluation

VARIABLE = "GITHUB_STEP_SUMMARY"
"""The environment variable that names the file of the step's summary."""

Level = Literal["notice", "warning", "error"]


def summary_file() -> Path:
    """Return the file of the step's summary.

    Raises:
        ConfigError: there is none; this is no step of GitHub Actions.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        raise ConfigError(
            f"--github needs ${VARIABLE}, which names the file of the step's summary",
            hint=f"GitHub Actions sets it; elsewhere: {VARIABLE}=summary.md cnn eval --github",
        )
    return Path(path)


def append_summary(path: Path, text: str) -> None:
    """Append Markdown to the step's summary.

    Raises:
        DataError: the file cannot be written.
    """
    try:
        earlier = path.read_text(encoding="utf-8") if path.exists() else ""
        write_text(path, earlier + text)
    except OSError as error:
        raise unwritable(path, error) from None


def summary(evaluation: "Evaluation", checkpoint: str, min_accuracy: float | None) -> str:
    """Return the figures as Markdown: a table of the whole, and one of the classes.

    Args:
        evaluation: the figures.
        checkpoint: what was evaluated.
        min_accuracy: the accuracy that it must reach, 0..1; None for no bar.
    """
    metrics = evaluation.metrics
    low, high = metrics.accuracy_interval
    rows = [
        ("accuracy", f"**{metrics.accuracy:.2%}** ({metrics.correct:,} of {metrics.n:,})"),
        ("95 % interval", f"{low:.2%} to {high:.2%}"),
        *([] if min_accuracy is None else [("required", f"{min_accuracy:.2%}")]),
        ("loss", f"{metrics.loss:.4f}"),
        ("calibration error", f"{metrics.calibration_error:.4f}"),
        ("data", _data(evaluation)),
        ("checkpoint", checkpoint),
    ]
    classes = [
        (each.label, f"{each.precision:.2%}", f"{each.recall:.2%}", f"{each.support:,}")
        for each in metrics.per_class
    ]
    figures = _table(("", "cnn eval"), rows)
    return f"{figures}\n{_table(('class', 'precision', 'recall', 'images'), classes)}\n"


def annotation(level: Level, title: str, text: str) -> str:
    """Return the workflow command that shows a line above the log of a workflow.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    escaped_title = _escape(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={escaped_title}::{_escape(text)}"


def result_annotation(evaluation: "Evaluation", checkpoint: str) -> str:
    """Return the annotation of an evaluation: a warning if other data was used than was requested."""
    text = f"{checkpoint}: accuracy {evaluation.accuracy:.2%} on {_data(evaluation)}"
    return annotation("warning" if evaluation.is_fallback else "notice", "cnn eval", text)


def _data(evaluation: "Evaluation") -> str:
    fallback = " (the requested data is not available)" if evaluation.is_fallback else ""
    return f"{evaluation.data}{fallback}, {evaluation.split} split"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(map(_cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    """Return the text without what would end a cell, or be HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")
