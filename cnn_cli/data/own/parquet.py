"""Parquet files with encoded images and labels, as data hubs store them. Needs the extra `parquet`."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

from cnn_cli import extras
from cnn_cli.data.own.contents import IMAGES, LABELS, Contents, Entry, by_split, explained, words_of
from cnn_cli.errors import DataError
from cnn_cli.json_text import parse_json
from cnn_cli.text import one_line

HINT = "a row has an image file's bytes in the column `image`, and a number or a name in `label`"

BATCH = 256
"""Rows that are in memory at once."""


def open_parquet(root: Path, files: list[Path]) -> Contents:
    """Open Parquet files; several of one split, such as `train-00000-of-00002.parquet`, are joined.

    Raises:
        DataError: one cannot be read, or lacks images or labels.
        CnnError: pyarrow is not installed.
    """
    parquet = extras.load("pyarrow.parquet", "parquet")
    tables = [(file, split) for split, named in by_split(files).items() for file in sorted(named)]
    entries: list[Entry] = []
    digests: list[bytes] = []
    for file, split in tables:
        labels, images = _rows(parquet, file)
        for number, (label, content) in enumerate(zip(labels, images, strict=True), 1):
            entries.append(Entry(f"{file.name}#{number}", label, split))
            digests.append(sha256(content).digest())

    def sources(indices: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        chosen, index = set(indices), 0
        for file, _ in tables:
            for content in _rows(parquet, file)[1]:
                if index in chosen:
                    yield index, content
                index += 1

    return Contents(root, files[0].parent, entries, sources, digests)


def _rows(parquet: Any, file: Path) -> tuple[list[str], Iterator[bytes]]:
    """Return the labels of a file, and its encoded images one after the other."""
    with _errors(file):
        table = parquet.ParquetFile(file)
        names = table.schema_arrow.names
        image, label = _column(names, IMAGES, "images", file), _column(names, LABELS, "labels", file)
        values = table.read(columns=[label]).column(label).to_pylist()
    return _labels(values, _class_names(table.schema_arrow, label), file), _images(table, image, file)


def _column(names: Sequence[str], known: frozenset[str], what: str, file: Path) -> str:
    found = [name for name in names if set(words_of(name)) & known]
    exact = [name for name in found if name.lower() in known]
    if len(exact or found) != 1:
        raise DataError(f"{file}: it is not clear which of {', '.join(names)} are the {what}", hint=HINT)
    return (exact or found)[0]


def _class_names(schema: Any, label: str) -> list[str] | None:
    """Return the names of the classes as the `datasets` library stores them beside the numbers."""
    try:
        features = parse_json(schema.metadata[b"huggingface"])["info"]["features"]
        return list(map(str, features[label]["names"]))
    except (KeyError, TypeError, ValueError):
        return None


def _labels(values: list[Any], names: list[str] | None, file: Path) -> list[str]:
    for row, value in enumerate(values, 1):
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not (is_whole or (isinstance(value, str) and value.strip())):
            raise DataError(f"{file}: row {row} has no label, but {value!r}", hint=HINT)
        if is_whole and names and not 0 <= value < len(names):
            raise DataError(f"{file}: row {row} has the label {value}, but there are {len(names)} classes")
    return [names[value] if names and isinstance(value, int) else str(value).strip() for value in values]


def _images(table: Any, column: str, file: Path) -> Iterator[bytes]:
    row = 0
    with _errors(file):
        for batch in table.iter_batches(BATCH, columns=[column]):
            for value in batch.column(0).to_pylist():
                row += 1
                content = value.get("bytes") if isinstance(value, dict) else value
                if not isinstance(content, bytes):
                    raise DataError(f"{file}: row {row} holds no encoded image", hint=HINT)
                yield content


def _errors(file: Path) -> AbstractContextManager[None]:
    def broken(error: Exception) -> DataError:
        text = f"{file}: is not a Parquet file that can be read ({one_line(error)})"
        return DataError(text, hint="download it again")

    return explained(file, Exception, broken)  # pyarrow's errors have no common base
