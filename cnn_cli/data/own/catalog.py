"""What is remembered of data in files: names, labels and digests. Unchanged files are not read again."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cnn_cli.data.own.cache import cache_folder
from cnn_cli.data.own.contents import Contents, Encoded, Entry
from cnn_cli.data.own.digests import DAMAGE, SETTLED, changed
from cnn_cli.data.own.forms import files_of, in_folder
from cnn_cli.files import atomic_write, signature
from cnn_cli.json_text import parse_json

log = logging.getLogger(__name__)

VERSION = 1
"""Increased whenever the same files give other entries."""


def contents_at(root: Path) -> Contents:
    """Return the labeled images at a data root; those in files from the catalog, if they have not changed.

    Raises:
        DataError: they cannot be read, or no form fits.
    """
    form, files = files_of(root)
    if form is None:
        return in_folder(root)
    now, before = time.time_ns(), _signatures(files)
    path = catalog_path(root)
    known = _load(path, root, before)
    if known is not None:
        return replace(known, sources=lambda indices: form.open(root, files).sources(indices))
    contents = _with_digests(form.open(root, files))
    if before and before == _signatures(files) and all(changed(each) < now - SETTLED for each in before):
        _save(path, contents, before)
    return contents


def catalog_path(root: Path) -> Path:
    """Return the file that remembers what lies at a root."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]
    return cache_folder() / f"catalog-{name}.npz"


def _with_digests(contents: Contents) -> Contents:
    if contents.digests is not None:
        return contents
    digests = [b""] * len(contents.entries)
    for index, content in contents.sources(range(len(digests))):
        digests[index] = hashlib.sha256(
            content if isinstance(content, bytes) else content.read_bytes()
        ).digest()
    return replace(contents, digests=digests)


def _signatures(files: Sequence[Path]) -> list[bytes]:
    """Return the signature of every file; none if one cannot be read."""
    try:
        return [signature(file.stat()) for file in files]
    except OSError:
        return []


def _load(path: Path, root: Path, signatures: Sequence[bytes]) -> Contents | None:
    """Return what is remembered of files with these signatures, without the function that reads them."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            record = parse_json(arrays["record"].tobytes())
            digests = arrays["digests"].tobytes()
            labels, splits = arrays["labels"].tolist(), arrays["splits"].tolist()
        if record["version"] != VERSION or record["signatures"] != [each.hex() for each in signatures]:
            return None
        names = record["names"]
        entries = [
            Entry(name, record["classes"][label], record["splits"][split])
            for name, label, split in zip(names, labels, splits, strict=True)
        ]
        rows = [digests[start : start + 32] for start in range(0, 32 * len(names), 32)]
        return Contents(root, Path(record["base"]), entries, _unread, rows)
    except FileNotFoundError:
        return None
    except (*DAMAGE, IndexError) as error:
        log.warning("%s cannot be read (%s); the data is read again", path, error)
        return None


def _unread(indices: Sequence[int]) -> Iterator[tuple[int, Encoded]]:
    raise NotImplementedError


def _save(path: Path, contents: Contents, signatures: Sequence[bytes]) -> None:
    classes = list(dict.fromkeys(entry.label for entry in contents.entries))
    splits = list(dict.fromkeys(entry.split for entry in contents.entries))
    record = {
        "version": VERSION,
        "root": str(contents.root.resolve()),
        "base": str(contents.base),
        "signatures": [each.hex() for each in signatures],
        "classes": classes,
        "splits": splits,
        "names": [entry.name for entry in contents.entries],
    }
    label_of = {name: number for number, name in enumerate(classes)}
    try:
        with atomic_write(path) as file:
            np.savez(
                file,
                record=np.frombuffer(json.dumps(record).encode(), np.uint8),
                labels=np.array([label_of[entry.label] for entry in contents.entries], np.int32),
                splits=np.array([splits.index(entry.split) for entry in contents.entries], np.uint8),
                digests=np.frombuffer(b"".join(contents.digests or ()), np.uint8),
            )
    except OSError as error:
        log.info("%s cannot be written (%s); the next start reads the data again", path, error)
