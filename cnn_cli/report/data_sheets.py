"""Contact sheets of a data set: its images, or augmented copies of them."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config.augmentation import Augmentation
from cnn_cli.data.augment.batch import augment
from cnn_cli.data.augment.mixup import Mix
from cnn_cli.data.preprocess import to_unit_range
from cnn_cli.data.source import LabeledImages, names_of
from cnn_cli.files import write_png
from cnn_cli.report.contact_sheet import COLUMNS, RED, contact_sheet
from cnn_cli.training.labels import Suspect
from cnn_cli.training.seeds import generator

MAX_SUSPECTS = 500
"""Upper limit of images on a sheet, so that other programs still open it."""


def write_data_sheet(images: LabeledImages, classes: tuple[str, ...], count: int, path: Path) -> None:
    """Draw the first `count` images with their labels into a PNG.

    Raises:
        DataError: it cannot be written.
    """
    captions = names_of(images.labels[:count], classes)
    _write(contact_sheet(images.take(slice(count)).numpy(), captions, columns=COLUMNS), path)


def write_augmented(
    images: LabeledImages,
    classes: tuple[str, ...],
    count: int,
    path: Path,
    preprocessing: Preprocessing,
    settings: Augmentation,
) -> None:
    """Draw one row for each of the first images: the image in a frame, then augmented copies of it.

    Args:
        images: uint8 [N, C, H, W] with their labels.
        classes: the names of the labels.
        count: the number of cells; only whole rows are drawn, and at least one.
        path: the PNG.
        preprocessing: how images become inputs; its mean and std are not used.
        settings: the augmentation.

    Raises:
        DataError: it cannot be written.
    """
    rows = slice(max(1, count // COLUMNS))
    originals = to_unit_range(images.take(rows), preprocessing)
    names = names_of(images.labels[rows], classes)
    columns: list[Tensor] = [originals]
    captions = [names]
    for column in range(1, COLUMNS):
        changed, mix = augment(originals, generator(0, "preview", column), settings)
        columns.append(changed)
        captions.append(_mixed_names(names, mix))
    cells = torch.stack(columns, 1).flatten(0, 1).mul(255).round().clamp(0, 255).byte()
    texts = [text for row in zip(*captions, strict=True) for text in row]
    emphasis = [RED if index % COLUMNS == 0 else None for index in range(len(texts))]
    _write(contact_sheet(cells.numpy(), texts, columns=COLUMNS, emphasis=emphasis), path)


def write_suspects(images: LabeledImages, suspects: Sequence[Suspect], path: Path) -> int:
    """Draw images whose labels look wrong into a PNG: each with its label, and below what it looks like.

    Args:
        images: uint8 [N, C, H, W], in which the suspects have their places.
        suspects: at least one; the first `MAX_SUSPECTS` are drawn.
        path: the PNG.

    Returns:
        The number of images that are drawn.

    Raises:
        DataError: it cannot be written.
    """
    drawn = suspects[:MAX_SUSPECTS]
    captions = [f"{each.label}?\n{each.suggested}: {each.confidence:.0%}" for each in drawn]
    pixels = images.take(torch.tensor([each.index for each in drawn])).numpy()
    _write(contact_sheet(pixels, captions, columns=COLUMNS), path)
    return len(drawn)


def _write(sheet: Image.Image, path: Path) -> None:
    write_png(path, lambda file: sheet.save(file, format="PNG"))


def _mixed_names(names: list[str], mix: Mix | None) -> list[str]:
    if mix is None:
        return names
    partners = (names[partner] for partner in mix.partners.tolist())
    share = f"{mix.share:.0%}"
    return [f"{share} {name},\nelse {partner}" for name, partner in zip(names, partners, strict=True)]
