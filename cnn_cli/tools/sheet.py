"""The contact sheet of a data set, as a file."""

import io
from pathlib import Path

from cnn_cli.data.sheet import contact_sheet
from cnn_cli.data.sources import Pictures
from cnn_cli.errors import DataError
from cnn_cli.files import atomic_write

ROW = 10
"""Pictures in a row."""


def write_sheet(pictures: Pictures, classes: tuple[str, ...], count: int, path: Path) -> None:
    """Draw the first `count` pictures with their labels into a PNG.

    Raises:
        DataError: it cannot be written.
    """
    captions = [classes[label] for label in pictures.labels[:count].tolist()]
    png = io.BytesIO()
    contact_sheet(pictures.take(slice(count)), captions, columns=ROW).save(png, format="PNG")
    try:
        with atomic_write(path) as file:
            file.write(png.getvalue())
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None
