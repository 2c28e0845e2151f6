"""The contact sheet of a comparison: the images that only one of two checkpoints answers correctly."""

from pathlib import Path

import torch
from torch import Tensor

from cnn_cli.files import write_png
from cnn_cli.report.contact_sheet import RED, Color, contact_sheet
from cnn_cli.training.comparison import Comparison

BLUE: Color = (0, 114, 178)
"""The frame of an image that only B answers correctly. Red-green blind people can tell it from red."""

MAX_IMAGES = 240
"""Upper limit of images on the sheet, shared between the two kinds."""

COLUMNS = 6


def write_contact_sheet(comparison: Comparison, classes: tuple[str, ...], path: Path) -> int:
    """Draw the images that only A answers correctly in red frames, then those of only B in blue frames.

    Args:
        comparison: at least one image must be answered correctly by one checkpoint alone.
        classes: the names of the labels.
        path: the PNG.

    Returns:
        How many images are on the sheet.

    Raises:
        DataError: it cannot be written.
    """
    only_a, only_b = chosen(comparison, MAX_IMAGES)
    indices = torch.cat([only_a, only_b])
    captions = [
        f"{classes[true]}: A {classes[a]} ({share_a:.0%})\nB {classes[b]} ({share_b:.0%})"
        for true, a, share_a, b, share_b in zip(*answers(comparison, indices), strict=True)
    ]
    emphasis = [RED] * len(only_a) + [BLUE] * len(only_b)
    sheet = contact_sheet(comparison.a.images.take(indices).numpy(), captions, COLUMNS, emphasis)
    write_png(path, lambda file: sheet.save(file, format="PNG"))
    return len(indices)


def chosen(comparison: Comparison, count: int) -> tuple[Tensor, Tensor]:
    """Return indices int64 of images that only A and that only B answers correctly, at most `count` in all.

    What one kind leaves of its half goes to the other.
    """
    only_a, only_b = comparison.only_a(count), comparison.only_b(count)
    of_a = min(len(only_a), max(count // 2, count - len(only_b)))
    return only_a[:of_a], only_b[: count - of_a]


def answers(comparison: Comparison, indices: Tensor) -> tuple[list[int], ...]:
    """Return labels, A's answers and confidences, B's answers and confidences of the images at `indices`."""
    confidence_a, answers_a = comparison.a.probabilities[indices].max(1)
    confidence_b, answers_b = comparison.b.probabilities[indices].max(1)
    columns = comparison.a.images.labels[indices], answers_a, confidence_a, answers_b, confidence_b
    return tuple(column.tolist() for column in columns)
