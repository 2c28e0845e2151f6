"""The numbers of a table in CSV, a block of lines at a time; a hundred million of them take a few seconds.

Nearly every table of images holds nothing but digits, commas and ends of lines. In such a block all numbers
are computed at once, from the places of the commas. Any other block is read cell by cell.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.own.labels_list import decoded
from cnn_cli.errors import DataError
from cnn_cli.text import printable

ZERO, COMMA, NEWLINE = b"0"[0], b","[0], b"\n"[0]

MAX_DIGITS = 4
"""Digits of a number that is computed from its place."""


@dataclass(frozen=True)
class Numbers:
    """Where a block of a table is, for messages."""

    path: Path
    line: int
    """The number of its first line, from 1."""
    hint: str


def numbers_of(block: bytes, width: int, where: Numbers) -> NDArray[Any]:
    """Return the numbers of whole lines as [rows, width]: uint16, or float32 if a cell is no plain number.

    Raises:
        DataError: a line has another number of cells, or a cell is no number.
    """
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    plain = _plain_numbers(block if block.endswith(b"\n") else block + b"\n", width)
    return _any_numbers(block, width, where) if plain is None else plain


def _plain_numbers(block: bytes, width: int) -> NDArray[np.uint16] | None:
    """Return the numbers of a block of digits, commas and newlines; None if it holds anything else.

    A number's last digit stands before its comma, its tens before that, and so on.
    """
    codes = np.frombuffer(b"0" * MAX_DIGITS + block, np.uint8)  # room to look back from the first comma
    digits = codes - np.uint8(ZERO)  # wraps: what is below "0" becomes large
    ends = np.flatnonzero(digits > 9)
    separators = codes[ends]
    is_newline = separators == NEWLINE
    if not (is_newline | (separators == COMMA)).all() or len(ends) % width:
        return None
    if not is_newline.reshape(-1, width)[:, -1].all() or is_newline.sum() != len(ends) // width:
        return None
    lengths = np.diff(ends, prepend=MAX_DIGITS - 1) - 1
    if not ((lengths > 0) & (lengths <= MAX_DIGITS)).all():
        return None
    numbers = digits[ends - 1].astype(np.uint16)
    for place in range(2, int(lengths.max()) + 1):
        longer = np.flatnonzero(lengths >= place)
        numbers[longer] += np.uint16(10 ** (place - 1)) * digits[ends[longer] - place]
    return numbers.reshape(-1, width)


def _any_numbers(block: bytes, width: int, where: Numbers) -> NDArray[np.float32]:
    rows = []
    text = io.StringIO(decoded(block, where.path, where.line), newline="")
    try:
        for line, row in enumerate(csv.reader(text, strict=True), where.line):
            if row:
                rows.append(_row(row, width, line, where))
    except csv.Error as error:
        raise DataError(f"{where.path}: is not CSV: {error}", hint=where.hint) from None
    return np.array(rows, np.float32).reshape(-1, width)


def _row(row: list[str], width: int, line: int, where: Numbers) -> NDArray[np.float32]:
    if len(row) != width:
        raise DataError(
            f"{where.path}: line {line} has {len(row)} cells, not {width} as the first line", hint=where.hint
        )
    try:
        return np.array(row, np.float32)
    except ValueError:
        column, cell = next((at, cell) for at, cell in enumerate(row, 1) if not _is_number(cell))
        what = "is empty" if not cell.strip() else f"{printable(cell, 40)!r} is no number"
        raise DataError(f"{where.path}: line {line}, column {column}: {what}", hint=where.hint) from None


def cells_of(line: str, place: str) -> list[str]:
    """Return the cells of one line.

    Raises:
        DataError: it is not CSV.
    """
    try:
        return next(csv.reader([line.rstrip("\r\n")], strict=True), [])
    except csv.Error as error:
        raise DataError(f"{place}: is not CSV: {error}") from None


def is_header(cells: list[str]) -> bool:
    """Return whether a first line names columns: no pixel or label is text."""
    return not all(_is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
