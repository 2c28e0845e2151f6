"""Decoded images in a file that is mapped: made once, found again by the content of the images.

KEY.npy holds the pixels and KEY.npz what is known of them; it is written last, and pixels without it do not
count. KEY stands for the contents and the form, not for names: a folder that was moved has its old pixels.
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
"""A job ends with the first of the two: so much memory, or so long before the next sign of progress."""

ABANDONED = 86_400
"""Seconds after which a temporary file that nobody writes to is removed: its process was killed."""

Refuse = Callable[[str, str], None]
"""Called with the path of a broken image and what is wrong with it; may raise."""


@dataclass(frozen=True)
class Store:
    """Decoded images.

    Args:
        pixels: uint8 [M, C, H, W], mapped from the file; it cannot be written to.
        rows: where in it an image is, by the digest of its content.
        problems: what is wrong with an image, by digest; its pixels are zeros.
    """

    pixels: np.ndarray
    rows: dict[bytes, int]
    problems: dict[bytes, str]


@dataclass(frozen=True)
class Place:
    """Where a store is kept, and what for.

    Args:
        folder: holds the stores of all folders of images.
        root: the folder of these images.
        input_format: what is made of an image.
    """

    folder: Path
    root: Path
    input_format: InputFormat

    def pixels(self, key: str) -> Path:
        """The file of the pixels."""
        return self.folder / f"{key}.npy"

    def table(self, key: str) -> Path:
        """The file of what is known of them."""
        return self.folder / f"{key}.npz"

    @property
    def owner(self) -> list[str]:
        """Who uses the store: one folder in one form needs one store, and the one that it had before goes."""
        return [str(self.root.resolve()), _text(self.input_format)]


def obtain(place: Place, paths: Mapping[bytes, str], refuse: Refuse, report: Report) -> Store:
    """The store of these images: found, or made of them.

    Two processes may do this at the same time: each makes the same file, and names it when it is whole.

    Args:
        place: where it is kept.
        paths: a path below `place.root` for each content, by digest; pixels are stored in this order.
        refuse: told of broken images while the store is made, in that order.
        report: told how far that is.

    Raises:
        DataError: it cannot be written. What `refuse` raises comes through.
    """
    key = _key(place.input_format, paths)
    found = _find(place, key)
    if found is not None:
        return found
    try:
        _make(place, key, paths, refuse, report)
    except OSError as error:
        found = _find(place, key)  # Windows replaces no file that another process has mapped: then it is here
        if found is None:
            raise _cannot_be_kept(place, error.strerror or str(error)) from error
    made = found or _find(place, key)
    if made is None:
        raise _cannot_be_kept(place, "what was written is not what is read")
    _remove_superseded(place, key)
    return made


def _cannot_be_kept(place: Place, why: str) -> DataError:
    return DataError(
        f"decoded images cannot be kept in {place.folder}: {why}",
        hint="set CNN_DATA to a folder that can be written and has room for them",
    )


def _key(input_format: InputFormat, digests: Iterable[bytes]) -> str:
    """The same for the same contents in the same input_format, whatever their order."""
    total = hashlib.sha256(f"{VERSION} {_text(input_format)}".encode())
    for digest in sorted(digests):
        total.update(digest)
    return total.hexdigest()[:32]


def _text(input_format: InputFormat) -> str:
    """What of a form decides the pixels: ink is the same for every size of the network's input."""
    return f"{input_format.kind} {input_format.shape}"


# ---- finding


def _find(place: Place, key: str) -> Store | None:
    """The store; None where there is none, or none that is whole."""
    try:
        record, digests = _read_table(place.table(key))
        pixels = np.load(place.pixels(key), mmap_mode="r")
        _verify(pixels, (len(digests), *place.input_format.shape), place.pixels(key), record)
    except FileNotFoundError:
        return None
    except DAMAGE as error:
        log.warning("%s is damaged (%s); the images are decoded again", place.pixels(key), error)
        return None
    if record["owner"] != place.owner:  # the folder was moved: its store goes with it
        with suppress(OSError):
            _write_table(place.table(key), record | {"owner": place.owner}, digests)
    rows = {digest: row for row, digest in enumerate(digests)}
    problems = {digests[int(row)]: str(problem) for row, problem in record["problems"].items()}
    return Store(pixels, rows, problems)


def _verify(pixels: np.ndarray, shape: tuple[int, ...], path: Path, record: dict[str, Any]) -> None:
    """Raise ValueError where the pixels are not those that were written.

    They are not read for that as long as nobody touched the file.
    """
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise ValueError(f"{pixels.dtype} {list(pixels.shape)}, not uint8 {list(shape)}")
    if signature(path.stat()).hex() != record["signature"] and _sha256(path) != record["sha256"]:
        raise ValueError("its bytes were changed")


def _read_table(path: Path) -> tuple[dict[str, Any], list[bytes]]:
    """The record and the digest of every row."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        record = json.loads(arrays["record"].tobytes())
        content = arrays["digests"].tobytes()
    if not isinstance(record, dict):
        raise TypeError("its record is no mapping")
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
    """Write the header of an .npy file and give the file its length; returns where the pixels begin."""
    shape = (count, *place.input_format.shape)
    needed, free = int(np.prod(shape)), shutil.disk_usage(place.folder).free
    if needed > free:
        raise _cannot_be_kept(place, f"they need {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")
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
    """Decode all images into the file; returns what is wrong with the broken ones, by row."""
    size = int(np.prod(place.input_format.shape))
    step = max(1, min(JOB_IMAGES, JOB_BYTES // size))
    starts = range(0, len(images), step)
    jobs = [
        Decoding(place.root, images[start : start + step], place.input_format, target, offset + start * size)
        for start in starts
    ]
    problems = {}
    with closing(map_ordered(decode, jobs)) as results:
        for start, found in zip(starts, results, strict=True):
            for row, problem in found.items():
                refuse(images[start + row][0], problem)
                problems[start + row] = problem
            report(min(start + step, len(images)), len(images))
    return problems


# ---- tidying up


def _remove_abandoned(folder: Path) -> None:
    """Temporary files of processes that were killed."""
    for path in folder.glob(f".*{TEMPORARY}"):
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - ABANDONED:
                path.unlink()


def _remove_superseded(place: Place, key: str) -> None:
    """The store that the same folder used in the same input_format, before its images changed."""
    for table in place.folder.glob("*.npz"):
        if table == place.table(key) or table.name.startswith("files-"):
            continue
        with suppress(*DAMAGE):
            if _read_table(table)[0]["owner"] == place.owner:
                table.unlink()  # first: pixels without it do not count
                table.with_suffix(".npy").unlink()
