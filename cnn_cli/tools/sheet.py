"""Contact sheets of a data set, as files: its pictures, or what augmentation makes of them."""

import io
from pathlib import Path

import torch
from PIL import Image

from cnn_cli.data.augment.batch import Changes, augment
from cnn_cli.data.augment.mixup import Mix
from cnn_cli.data.inputs import Preparation
from cnn_cli.data.sheet import RED, contact_sheet
from cnn_cli.data.sources import Pictures
from cnn_cli.engine.seeds import generator
from cnn_cli.errors import unwritable
from cnn_cli.files import atomic_write

ROW = 10
"""Pictures in a row."""


def write_sheet(pictures: Pictures, classes: tuple[str, ...], count: int, path: Path) -> None:
    """Draw the first `count` pictures with their labels into a PNG.

    Raises:
        DataError: it cannot be written.
    """
    captions = [classes[label] for label in pictures.labels[:count].tolist()]
    write_png(contact_sheet(pictures.take(slice(count)), captions, columns=ROW), path)


def write_changes(
    pictures: Pictures, classes: tuple[str, ...], count: int, path: Path, seen: Preparation, changes: Changes
) -> None:
    """Draw a row for each of the first pictures: as it is, framed, then as training might see it.

    Args:
        pictures: uint8 [N, C, H, W] with their labels.
        classes: the names of the labels.
        count: cells of the sheet; there are as many whole rows as fit, and at least one.
        path: the PNG.
        seen: how pictures become inputs; its mean and deviation are not used.
        changes: the random changes.

    Raises:
        DataError: it cannot be written.
    """
    rows = slice(max(1, count // ROW))
    images, names = (
        seen.unit(pictures.take(rows)),
        [classes[label] for label in pictures.labels[rows].tolist()],
    )
    columns, captions = [images], [names]
    for column in range(1, ROW):
        changed, mix = augment(images, generator(0, "preview", column), changes)
        columns.append(changed)
        captions.append(_mixed_names(names, mix))
    cells = torch.stack(columns, 1).flatten(0, 1).mul(255).round().clamp(0, 255).byte()
    texts = [text for row in zip(*captions, strict=True) for text in row]
    emphasis = [RED if index % ROW == 0 else None for index in range(len(texts))]
    write_png(contact_sheet(cells, texts, columns=ROW, emphasis=emphasis), path)


def _mixed_names(names: list[str], mix: Mix | None) -> list[str]:
    if mix is None:
        return names
    others = (names[partner] for partner in mix.partners.tolist())
    share = f"{mix.share:.0%}"
    return [f"{share} {name},\nelse {other}" for name, other in zip(names, others, strict=True)]


def write_png(sheet: Image.Image, path: Path) -> None:
    """Write a picture as a PNG, whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    png = io.BytesIO()
    sheet.save(png, format="PNG")
    try:
        with atomic_write(path) as file:
            file.write(png.getvalue())
    except OSError as error:
        raise unwritable(path, error) from None
