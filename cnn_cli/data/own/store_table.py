"""The table beside a file of decoded pixels: whose they are, which row is which image, what was broken."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnn_cli.files import atomic_write
from cnn_cli.json_text import parse_json


class Table(NamedTuple):
    """What is known of the pixels in a file."""

    record: dict[str, Any]
    """`owner`: root and input format; `problems` by row; `sha256` and `signature` of the file of pixels."""
    digests: list[bytes]
    """SHA-256 of the content of each image, by row."""
    places: np.ndarray
    """int64 [M]: the place of each row in an order that its pixels decide."""


def read_table(path: Path) -> Table:
    """Read a table; a damaged one raises one of `digests.DAMAGE`."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        record = parse_json(arrays["record"].tobytes())
        content, places = arrays["digests"].tobytes(), arrays["places"]
    if not isinstance(record, dict):
        raise TypeError("its record is not a mapping")
    digests = [content[start : start + 32] for start in range(0, len(content), 32)]
    if places.shape != (len(digests),):
        raise ValueError("its places are not one for each row")
    return Table(record, digests, places)


def write_table(path: Path, table: Table) -> None:
    """Write a table, atomically."""
    with atomic_write(path) as file:
        np.savez(
            file,
            record=np.frombuffer(json.dumps(table.record).encode(), np.uint8),
            digests=np.frombuffer(b"".join(table.digests), np.uint8),
            places=table.places,
        )
