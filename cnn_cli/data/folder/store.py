"""Decoded images in a mapped file, which is made once and found again by the content of the images.

KEY.npy holds the pixels and KEY.npz a table that describes them. The table is written last, and pixels
without it are not used. KEY depends on the contents and the input format, not on names: a folder that was
moved keeps its pixels.
"""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnn_cli.data.folder.digests import DAMAGE, Report
from cnn_cli.data.folder.jobs import Decoding, decode
from cnn_cli.data.folder.layout import signature
from cnn_cli.errors import DataError
from cnn_cli.files import TEMPORARY, atomic_path, atomic_write
from cnn_cli.image.preprocess import VERSION, InputFormat
from cnn_cli.workers import map_ordered

log = logging.getLogger(__name__)

JOB_BYTES = 4_000_000
JOB_IMAGES = 256
"""Upper limits of a job, for its memory and for the time until the next report of progress."""

ABANDONED = 86_400
"""Seconds after which an unchanged temporary file is removed: its process was killed."""

Refuse = Callable[[str, str], None]
"""Called with the path of a broken image and its problem; may raise."""


@dataclass(frozen=True)
class Store:
    """Decoded images.

    Args:
        pixels: uint8 [M, C, H, W], mapped from the file; it cannot be written to.
        rows: the index of an image in it, by the digest of its content.
        problems: the problem of a broken image, by digest; its pixels are zeros.
    """

    pixels: np.ndarray
    rows: dict[bytes, int]
    problems: dict[bytes, str]


@dataclass(frozen=True)
class Place:
    """The place of a store, and its purpose.

    Args:
        folder: the folder with the stores of all folders of images.
        root: the folder of these images.
        input_format: the format that the images are converted to.
    """

    folder: Path
    root: Path
    input_format: InputFormat

    def pixels(self, key: str) -> Path:
        """Return the file of the pixels."""
        return self.folder / f"{key}.npy"

    def table(self, key: str) -> Path:
        """Return the file of the table."""
        return self.folder / f"{key}.npz"

    @property
    def owner(self) -> list[str]:
        """The user of the store. One folder needs one store per input format; an older one is removed."""
        return [str(self.root.resolve()), _text(self.input_format)]


def obtain(place: Place, paths: Mapping[bytes, str], refuse: Refuse, report: Report) -> Store:
    """Return the store of these images; if there is none, make it.

    Two processes may do this at the same time: each makes the same file, and renames it when it is complete.

    Args:
        place: the place of the store.
        paths: a path below `place.root` for each content, by digest; pixels are stored in this order.
        refuse: called for broken images while the store is made, in that order.
        report: called with the progress.

    Raises:
        DataError: it cannot be written. Errors of `refuse` are passed on.
    """
    key = _key(place.input_format, paths)
    store = _find(place, key)
    if store is not None:
        return store
    try:
        _make(place, key, paths, refuse, report)
    except OSError as error:
        store = _find(place, key)  # Windows does not replace a file that another process has mapped
        if store is None:
            raise _unwritable(place, error.strerror or str(error)) from error
    store = store or _find(place, key)
    if store is None:
        raise _unwritable(place, "the file that was written cannot be read again")
    _remove_superseded(place, key)
    return store


def _unwritable(place: Place, reason: str) -> DataError:
    return DataError(
        f"decoded images cannot be stored in {place.folder}: {reason}",
        hint="set CNN_DATA to a folder that can be written and has room for them",
    )


def _key(input_format: InputFormat, digests: Iterable[bytes]) -> str:
    """Return the same key for the same contents in the same input format, in any order."""
    total = hashlib.sha256(f"{VERSION} {_text(input_format)}".encode())
    for digest in sorted(digests):
        total.update(digest)
    return total.hexdigest()[:32]


def _text(input_format: InputFormat) -> str:
    """Return the part of the format that decides the pixels: digits do not depend on the network's size."""
    return f"{input_format.kind} {input_format.shape}"


# ---- finding


def _find(place: Place, key: str) -> Store | None:
    """Return the store; None if there is none, or it is damaged."""
    try:
        record, digests = _read_table(place.table(key))
        pixels = np.load(place.pixels(key), mmap_mode="r")
        _verify(pixels, (len(digests), *place.input_format.shape), place.pixels(key), record)
    except FileNotFoundError:
        return None
    except DAMAGE as error:
        log.warning("%s is damaged (%s); the images are decoded again", place.pixels(key), error)
        return None
    if record["owner"] != place.owner:  # the folder was moved: it keeps its store
        with suppress(OSError):
            _write_table(place.table(key), record | {"owner": place.owner}, digests)
    rows = {digest: row for row, digest in enumerate(digests)}
    problems = {digests[int(row)]: str(problem) for row, problem in record["problems"].items()}
    return Store(pixels, rows, problems)


def _verify(pixels: np.ndarray, shape: tuple[int, ...], path: Path, record: dict[str, Any]) -> None:
    """Raise ValueError if the pixels are not those that were written.

    They are read for this only if the file was touched.
    """
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise ValueError(f"{pixels.dtype} {list(pixels.shape)}, not uint8 {list(shape)}")
    if signature(path.stat()).hex() != record["signature"] and _sha256(path) != record["sha256"]:
        raise ValueError("its bytes were changed")


def _read_table(path: Path) -> tuple[dict[str, Any], list[bytes]]:
    """Return the record and the digest of every row."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        record = json.loads(arrays["record"].tobytes())
        content = arrays["digests"].tobytes()
    if not isinstance(record, dict):
        raise TypeError("its record is not a mapping")
    return record, [content[start : start + 32] for start in range(0, len(content), 32)]


def _write_table(path: Path, record: dict[str, Any], digests: Iterable[bytes]) -> None:
    with atomic_write(path) as file:
        np.savez(
            file,
            record=np.frombuffer(json.dumps(record).encode(), np.uint8),
            digests=np.frombuffer(b"".join(digests), np.uint8),
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- making


def _make(place: Place, key: str, paths: Mapping[bytes, str], refuse: Refuse, report: Report) -> None:
    place.folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(place.folder)
    images = [(path, digest) for digest, path in paths.items()]
    log.info("%s: %d images are decoded into %s", place.root, len(images), place.pixels(key))
    with atomic_path(place.pixels(key)) as target:
        offset = _allocate(place, target, len(images))
        problems = _decode(place, target, offset, images, refuse, report)
        checksum = _sha256(target)
    record = {
        "owner": place.owner,
        "problems": problems,
        "sha256": checksum,
        "signature": signature(place.pixels(key).stat()).hex(),
    }
    _write_table(place.table(key), record, paths)


def _allocate(place: Place, target: Path, count: int) -> int:
    """Write the header of an .npy file and set the file's length. Return where the pixels begin."""
    shape = (count, *place.input_format.shape)
    needed, free = int(np.prod(shape)), shutil.disk_usage(place.folder).free
    if needed > free:
        raise _unwritable(place, f"they need {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")
    with target.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        offset = file.tell()
        file.truncate(offset + needed)
    return offset


def _decode(
    place: Place,
    target: Path,
    offset: int,
    images: list[tuple[str, bytes]],
    refuse: Refuse,
    report: Report,
) -> dict[int, str]:
    """Decode all images into the file. Return the problems of the broken ones, by row."""
    size = int(np.prod(place.input_format.shape))
    step = max(1, min(JOB_IMAGES, JOB_BYTES // size))
    starts = range(0, len(images), step)
    jobs = [
        Decoding(place.root, images[start : start + step], place.input_format, target, offset + start * size)
        for start in starts
    ]
    problems = {}
    with closing(map_ordered(decode, jobs)) as results:
        for start, broken in zip(starts, results, strict=True):
            for row, problem in broken.items():
                refuse(images[start + row][0], problem)
                problems[start + row] = problem
            report(min(start + step, len(images)), len(images))
    return problems


# ---- tidying up


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of processes that were killed."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - ABANDONED:
                path.unlink()


def _remove_superseded(place: Place, key: str) -> None:
    """Remove the store of the same folder and input format from before its images changed."""
    for table in place.folder.glob("*.npz"):
        if table == place.table(key) or table.name.startswith("files-"):
            continue
        with suppress(*DAMAGE):
            if _read_table(table)[0]["owner"] == place.owner:
                table.unlink()  # first: pixels without it do not count
                table.with_suffix(".npy").unlink()
