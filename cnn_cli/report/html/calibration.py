"""The calibration diagram: how often answers of some confidence are right, and how many there are."""

import math
from collections.abc import Sequence

from cnn_cli.report.html.chart import Axis, BareAxis, Plane
from cnn_cli.report.html.markup import Markup, element
from cnn_cli.report.html.page import details, note, section, table
from cnn_cli.training.evaluation import Evaluation
from cnn_cli.training.metrics import ConfidenceBin, confidence_bins, wilson_interval

CONFIDENCE = Axis("confidence", 0.0, 1.0, as_percent=True)
COUNTS_HEIGHT = 110
"""Height of the chart of counts, in the units of the other charts."""


def calibration(evaluation: Evaluation) -> Markup:
    """Return the calibration diagram with its counts, as charts and as a table."""
    bins = [
        group for group in confidence_bins(evaluation.probabilities, evaluation.images.labels) if group.count
    ]
    metrics = evaluation.metrics
    before = f", {metrics.uncalibrated_error:.4f} without its temperature of {metrics.temperature:.2f}"
    error = f"The calibration error is {metrics.calibration_error:.4f}{before * (metrics.temperature != 1)}."
    rows = [
        [
            f"{group.low:.1%} to {group.high:.1%}",
            f"{group.confidence / group.count:.2%}",
            f"{group.correct / group.count:.2%}",
            f"{group.count:,}",
        ]
        for group in bins
    ]
    columns = ["confidence", "mean", "accuracy", "images"]
    return section(
        "Calibration",
        note("Answers on the diagonal are right as often as their confidence says. ", error),
        element("figure", element("p", "accuracy", class_="title"), _diagram(bins), class_="chart"),
        element(
            "figure",
            element("p", "images, on a logarithmic scale", class_="title"),
            _counts(bins),
            class_="chart",
        ),
        details("The same in numbers", table(columns, rows, caption="calibration")),
    )


def _diagram(bins: Sequence[ConfidenceBin]) -> Markup:
    plane = Plane(CONFIDENCE, Axis("accuracy", 0.0, 1.0, as_percent=True))
    (x1, y1), (x2, y2) = plane.at(0, 0), plane.at(1, 1)
    parts = [element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_="chosen")]
    for group in bins:
        mean, accuracy = group.confidence / group.count, group.correct / group.count
        (x, y), (low, high) = plane.at(mean, accuracy), wilson_interval(group.correct, group.count)
        bottom, top = (plane.at(mean, end)[1] for end in (low, high))
        text = f"confidence {mean:.1%}: {accuracy:.1%} of {group.count:,} images are right"
        parts.append(element("line", x1=x, y1=bottom, x2=x, y2=top, class_="line s0"))
        parts.append(element("circle", element("title", text), cx=x, cy=y, r=4, class_="dot s0"))
    return plane.draw("accuracy by confidence, with 95 % intervals", parts)


def _counts(bins: Sequence[ConfidenceBin]) -> Markup:
    """Return a bar for each bin; its length is logarithmic, because most answers are in the last bin."""
    top = math.log10(max(group.count for group in bins)) + 1
    plane = Plane(CONFIDENCE, BareAxis("images", 0.0, 1.25 * top), COUNTS_HEIGHT)
    parts = []
    for group in bins:
        (left, bottom), (right, height) = (
            plane.at(group.low, 0),
            plane.at(group.high, math.log10(group.count) + 1),
        )
        size = {"width": right - left - 2, "height": bottom - height}
        parts.append(element("rect", x=left + 1, y=height, class_="bar s0", **size))
        middle = (left + right) / 2
        parts.append(
            element(
                "text", _compact(group.count), x=middle, y=height - 3, text_anchor="middle", class_="count"
            )
        )
    return plane.draw("number of images by confidence", parts)


def _compact(count: int) -> str:
    return f"{count}" if count < 1000 else f"{count / 1000:.3g}k"
