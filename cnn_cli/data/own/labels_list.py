"""The list of labels of a flat folder: `labels.csv` with the columns `file` and `label`."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from cnn_cli.data.own.contents import LABELS
from cnn_cli.data.own.tree import LIST, Tree, join
from cnn_cli.errors import DataError

FILES = frozenset({"file", "filename", "file_name", "image", "path", "name"})
"""Names of the column of the files, in lower case."""

HINT = "write a line `file,label`, then one line for each image, such as `0001.png,5`"


def read_labels(tree: Tree, folder: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the label of every image in the list of a folder.

    Raises:
        DataError: the list cannot be read, names a file twice or one that is not there, or lacks a label.
    """
    name = join(folder, LIST)
    place = tree.place(name)
    rows = list(_rows(tree.read(name), place))
    if not rows:
        raise DataError(f"{place}: is empty", hint=HINT)
    file, label = _columns(rows[0], place)
    named: dict[str, int] = {}
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(rows[0]):
            raise DataError(f"{place}: line {line} has {len(row)} cells, not {len(rows[0])}", hint=HINT)
        path, text = join(folder, row[file].replace("\\", "/")), row[label].strip()
        if path in named:
            raise DataError(
                f"{place}: line {line} names {row[file]}, as line {named[path]} does",
                hint="remove one of them",
            )
        if path not in tree.files:
            raise DataError(
                f"{place}: line {line} names {row[file]}, which is not an image in the folder", hint=HINT
            )
        if not text:
            raise DataError(f"{place}: line {line} has no label for {row[file]}", hint=HINT)
        named[path] = line
        yield path, text


def _rows(content: bytes, place: Path) -> Iterator[list[str]]:
    """Yield the rows that are not empty."""
    text = decoded(content, place)
    try:
        yield from (row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row)
    except csv.Error as error:
        raise DataError(f"{place}: is not CSV: {error}", hint=HINT) from None


def decoded(content: bytes, place: Path, first_line: int = 1) -> str:
    """Return the text of a file in UTF-8, or of its lines from `first_line` on, without a byte order mark.

    Raises:
        DataError: it is in another encoding.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + first_line
        raise DataError(
            f"{place}: line {line} is not UTF-8",
            hint="save the table as CSV in UTF-8, not as Latin-1 or UTF-16",
        ) from None


def _columns(header: list[str], place: Path) -> tuple[int, int]:
    """Return the columns of the file and of the label."""
    names = [cell.strip().lower() for cell in header]
    files = [column for column, name in enumerate(names) if name in FILES]
    labels = [column for column, name in enumerate(names) if name in LABELS]
    if len(files) != 1 or len(labels) != 1:
        raise DataError(f"{place}: its first line names no column `file` and `label`", hint=HINT)
    return files[0], labels[0]
