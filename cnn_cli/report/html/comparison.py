"""The report of a comparison of two checkpoints, A and B."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from cnn_cli.report.comparison_sheets import answers, chosen
from cnn_cli.report.comparison_text import classes_of, conclusion, difference, figures_of_both
from cnn_cli.report.html.markup import Markup, element
from cnn_cli.report.html.page import fallback_warning, headline, note, section, table, write_page
from cnn_cli.report.html.pixels import gallery, labeled_image
from cnn_cli.report.html.settings import commands_section, difference_table, environment_section
from cnn_cli.training.comparison import Comparison

MAX_IMAGES = 96
"""Upper limit of images in the galleries together."""


def write_comparison(
    path: Path,
    names: tuple[str, str],
    comparison: Comparison,
    machine: Mapping[str, Any],
    commands: Mapping[str, str],
) -> None:
    """Write the report of a comparison.

    Args:
        path: the HTML file.
        names: those of A and B.
        comparison: the measurements.
        machine: what they were measured on, as `training.machine` describes it.
        commands: what repeats them, by purpose.

    Raises:
        DataError: it cannot be written.
    """
    evaluation = comparison.a
    about = f"A is {names[0]}, B is {names[1]}; on {evaluation.data}, {evaluation.split} split"
    sections = [
        fallback_warning(evaluation.data) if evaluation.is_fallback else None,
        headline(_headline(comparison)),
        section(
            "Each alone", table(["", "A", "B"], figures_of_both(comparison), caption="figures of A and B")
        ),
        _agreement(comparison),
        _only_one(comparison),
        _settings(comparison),
        environment_section({}, machine),
        commands_section(commands),
    ]
    write_page(path, "Comparison of two networks", about, [part for part in sections if part])


def _headline(comparison: Comparison) -> Sequence[tuple[str, str, str]]:
    counts = comparison.counts
    points, interval = difference(counts)
    a, b = comparison.a.metrics, comparison.b.metrics
    return (
        ("accuracy of A", f"{a.accuracy:.2%}", f"{a.correct:,} of {a.n:,} images"),
        ("accuracy of B", f"{b.accuracy:.2%}", f"{b.correct:,} of {b.n:,} images"),
        ("B minus A", points, f"95 % interval {interval} points"),
        ("McNemar's exact test", f"p = {counts.p_value:.3g}", conclusion(counts)),
    )


def _agreement(comparison: Comparison) -> Markup:
    counts = comparison.counts
    rows = [
        ["A is right", f"{counts.both:,}", f"{counts.only_a:,}"],
        ["A is wrong", f"{counts.only_b:,}", f"{counts.neither:,}"],
    ]
    text = (
        "Only images that one of them reads correctly tell which is better. If both are equally accurate, "
        "each of these is a fair coin toss; p is the probability of tosses at least as uneven as they were."
    )
    return section(
        "Image by image", table(["", "B is right", "B is wrong"], rows, caption="images"), note(text)
    )


def _only_one(comparison: Comparison) -> Markup:
    counts = comparison.counts
    groups = zip(("A", "B"), (counts.only_a, counts.only_b), chosen(comparison, MAX_IMAGES), strict=True)
    content = [
        (
            element("h3", f"Only {name} is right: {total:,}{_limit(len(indices), total)}"),
            gallery(_images(comparison, indices)),
        )
        for name, total, indices in groups
    ]
    return section("Images that only one reads correctly", content, wide=True)


def _limit(count: int, total: int) -> str:
    return f", {count} of them here" if count < total else ""


def _images(comparison: Comparison, indices: Tensor) -> list[Markup]:
    classes = classes_of(comparison)
    columns = comparison.a.images.take(indices).cpu().numpy(), *answers(comparison, indices)
    return [
        labeled_image(
            pixels,
            f"{classes[true]}: A answers {classes[a]}, B answers {classes[b]}",
            (classes[true], f"A {classes[a]} {share_a:.0%}", f"B {classes[b]} {share_b:.0%}"),
        )
        for pixels, true, a, share_a, b, share_b in zip(*columns, strict=True)
    ]


def _settings(comparison: Comparison) -> Markup:
    if not comparison.config:
        return section("Settings", note("Both were trained with the same settings."))
    return section("Settings that differ", difference_table(comparison.config, ("A", "B")))
