"""Tables in CSV with an image in each row, such as Kaggle's `label,pixel0..pixel783`; the header is optional.

A row is the pixels of a square gray image, row by row, and perhaps its label: in the column that the header
calls so, else in the first one.
"""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.own.arrays import Table, contents_of, labels_of, square_side, to_uint8
from cnn_cli.data.own.contents import LABELS, Contents, by_split, explained
from cnn_cli.data.own.csv_numbers import Numbers, cells_of, is_header, numbers_of
from cnn_cli.data.own.labels_list import decoded
from cnn_cli.data.verify import GZIP_MAGIC
from cnn_cli.errors import DataError

SUFFIXES = (".csv", ".csv.gz")

IDENTIFIERS = frozenset({"", "id", "imageid", "index", "unnamed: 0"})
"""Names of a column that only numbers the rows, in lower case."""

BLOCK = 2**18
"""Bytes of a table that are read at once: what is computed of them stays in the cache of the processor."""

LONGEST_LINE = 2**24
"""Upper limit of the bytes of a row: an image of 2,000x2,000 pixels."""

MAX_BYTES = 8 * 10**9
"""Upper limit of the bytes of a table, unpacked."""

DAMAGE = (gzip.BadGzipFile, EOFError, zlib.error)
"""What gzip raises for a damaged file."""

HINT = "a row is the pixels of a square image, 0..255, and in its first column (or one named label) a number"


@dataclass(frozen=True)
class Rows:
    """The images of a table.

    Args:
        images: uint8 [N, side, side].
        labels: the labels, if there is such a column.
    """

    images: NDArray[np.uint8]
    labels: list[str] | None


def is_table(path: Path) -> bool:
    """Return whether a file has the name of a table."""
    return path.name.lower().endswith(SUFFIXES)


def open_tables(root: Path, files: list[Path]) -> Contents:
    """Open labeled tables, at most one for each split; their names tell which: `train.csv`, `mnist_test.csv`.

    A test table without labels, as competitions have one, is left out.

    Raises:
        DataError: a table cannot be read, a row is no image, or there are no labels.
    """
    tables = []
    for split, named in by_split(files).items():
        if len(named) > 1:
            raise DataError(
                f"{named[0]} and {named[1].name}: two tables for {split}",
                hint="name one of them: data.root=FILE",
            )
        rows = read_rows(named[0])
        if rows.labels is not None:
            tables.append(Table(named[0].name, split, rows.images, rows.labels))
        elif split != "test" or len(files) == 1:
            raise DataError(f"{named[0]}: has no column of labels", hint=HINT)
    return contents_of(root, files[0].parent, tables)


def read_rows(path: Path) -> Rows:
    """Read a table.

    Raises:
        DataError: it cannot be read, or a row is no image.
    """
    broken = DataError(f"{path}: is not a gzip file, or is cut short", hint="download it again")
    with explained(path, DAMAGE, lambda _: broken), path.open("rb") as file:
        is_packed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=file)) if is_packed else file
        return _read(stream, path)


def _read(stream: BinaryIO, path: Path) -> Rows:
    first = stream.readline(LONGEST_LINE)
    header = cells_of(decoded(first, path), f"{path}: line 1")
    if not any(header):
        raise DataError(f"{path}: is empty" if not first.strip() else f"{path}: line 1 is empty", hint=HINT)
    has_header = is_header(header)
    columns = _columns([name.strip().lower() for name in header] if has_header else None, len(header), path)
    blocks = _blocks(stream, b"" if has_header else first.removeprefix(b"\xef\xbb\xbf"), path)
    pieces, line = [], 2 if has_header else 1
    for block in blocks:
        pieces.append(numbers_of(block, len(header), Numbers(path, line, HINT)))
        line += len(pieces[-1])
    rows = np.concatenate(pieces) if pieces else np.empty((0, len(header)), np.uint16)
    if not len(rows):
        raise DataError(f"{path}: has a header, but no row", hint=HINT)
    return _images(rows, columns, path)


@dataclass(frozen=True)
class _Columns:
    """Which columns of a table hold what."""

    pixels: list[int]
    label: int | None
    side: int


def _columns(names: list[str] | None, count: int, path: Path) -> _Columns:
    """Find the columns, by the names in the header or by their number."""
    labels = [column for column, name in enumerate(names or []) if name in LABELS]
    if len(labels) > 1:
        raise DataError(f"{path}: its header names two columns of labels", hint=HINT)
    label = labels[0] if labels else None
    others = [column for column in range(count) if column != label]
    if names is not None:
        others = [column for column in others if names[column] not in IDENTIFIERS]
    if label is None and square_side(len(others)) is None:
        label, others = others[0], others[1:]
    side = square_side(len(others))
    if side is None:
        raise DataError(f"{path}: {count} columns are no square image with or without a label", hint=HINT)
    return _Columns(others, label, side)


def _blocks(stream: BinaryIO, start: bytes, path: Path) -> Iterator[bytes]:
    """Yield the rest of a table in blocks of whole lines, without empty lines at the end."""
    rest, total = start, 0
    while True:
        chunk = stream.read(BLOCK)
        total += len(chunk)
        if total > MAX_BYTES:
            raise DataError(f"{path}: holds more than {MAX_BYTES:,} bytes, the limit here", hint="split it")
        end = chunk.rfind(b"\n") + 1
        if not chunk:
            break
        if not end and len(rest) > LONGEST_LINE:
            raise DataError(f"{path}: a line is longer than {LONGEST_LINE:,} bytes", hint=HINT)
        if end:
            yield rest + chunk[:end]
            rest = b""
        rest += chunk[end:]
    if rest.strip():
        yield rest


def _images(rows: NDArray[Any], columns: _Columns, path: Path) -> Rows:
    first, last = columns.pixels[0], columns.pixels[-1] + 1
    is_block = last - first == len(columns.pixels)  # the usual case: a view is enough
    pixels = rows[:, first:last] if is_block else rows[:, columns.pixels]
    images = to_uint8(pixels.reshape(len(rows), columns.side, columns.side), str(path))
    return Rows(images, None if columns.label is None else labels_of(rows[:, columns.label], str(path)))
