"""The figures of a comparison as text, for the terminal and for the HTML report."""

from cnn_cli.training.comparison import Comparison, Cost
from cnn_cli.training.evaluation import Evaluation
from cnn_cli.training.paired import PairedCounts

ROWS = (
    *("accuracy", "95 % interval", "correct", "loss", "calibration error"),
    *("parameters", "multiply-adds", "time for one image"),
)
"""What `figures` returns."""


def figures(evaluation: Evaluation, cost: Cost) -> tuple[str, ...]:
    """Return the figures of one checkpoint, in the order of ROWS."""
    metrics = evaluation.metrics
    low, high = metrics.accuracy_interval
    return (
        f"{metrics.accuracy:.2%}",
        f"{low:.2%} to {high:.2%}",
        f"{metrics.correct:,}",
        f"{metrics.loss:.4f}",
        f"{metrics.calibration_error:.4f}",
        f"{cost.parameters:,}",
        f"{cost.multiply_adds:,}",
        f"{1000 * cost.seconds:.3g} ms",
    )


def figures_of_both(comparison: Comparison) -> list[tuple[str, str, str]]:
    """Return the rows of a table: the name of a figure, that of A and that of B."""
    of_a, of_b = (
        figures(evaluation, cost)
        for evaluation, cost in zip((comparison.a, comparison.b), comparison.costs, strict=True)
    )
    return list(zip(ROWS, of_a, of_b, strict=True))


def difference(counts: PairedCounts) -> tuple[str, str]:
    """Return the difference of the accuracies in percentage points, and its 95 % interval."""
    low, high = counts.difference_interval
    return f"{100 * counts.difference:+.2f} points", f"{100 * low:+.2f} to {100 * high:+.2f}"


def conclusion(counts: PairedCounts) -> str:
    """Return in words whether the accuracies differ."""
    if not counts.is_significant:
        return "no significant difference"
    return f"B is significantly {'less' if counts.b_is_worse else 'more'} accurate"


def classes_of(comparison: Comparison) -> tuple[str, ...]:
    """Return the names of the classes."""
    return tuple(metrics.label for metrics in comparison.a.metrics.per_class)
