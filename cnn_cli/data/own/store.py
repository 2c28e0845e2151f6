"""Decoded images in a mapped file, which is made once and found again by the content of the images.

KEY.npy holds the pixels and KEY.npz a table that describes them. The table is written last, and pixels
without it are not used. KEY depends on the contents and the input format, not on names: a folder that was
moved keeps its pixels.
"""

import hashlib
import logging
import shutil
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from cnn_cli.data.own.cache import remove_abandoned
from cnn_cli.data.own.digests import DAMAGE, Report
from cnn_cli.data.own.jobs import PIXELS_DIGEST, Decoded, Decoding, Image, decode, is_decoded
from cnn_cli.data.own.store_table import Table, read_table, write_table
from cnn_cli.errors import DataError
from cnn_cli.files import atomic_path, signature
from cnn_cli.image.preprocess import VERSION, InputFormat
from cnn_cli.workers import map_ordered

log = logging.getLogger(__name__)

JOB_BYTES = 4_000_000
JOB_IMAGES = 256
"""Upper limits of a job, for its memory and for the time until the next report of progress."""

Refuse = Callable[[str, str], None]
"""Called with the name of a broken image and its problem; may raise."""

Images = Callable[[], Iterator[Image]]


@dataclass(frozen=True)
class Store:
    """Decoded images.

    Args:
        pixels: uint8 [M, C, H, W], mapped from the file; it cannot be written to.
        rows: the index of an image in it, by the digest of its content.
        problems: the problem of a broken image, by digest; its pixels are zeros.
        places: int64 [M]: the place of each row in an order that its pixels alone decide. It is the same for
            the same images, whatever files they come from, and equal pixels have the same.
    """

    pixels: np.ndarray
    rows: dict[bytes, int]
    problems: dict[bytes, str]
    places: np.ndarray


@dataclass(frozen=True)
class Place:
    """The place of a store, and its purpose.

    Args:
        folder: the folder with the stores of all data.
        root: the root of these images.
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


def obtain(place: Place, digests: Sequence[bytes], images: Images, refuse: Refuse, report: Report) -> Store:
    """Return the store of these images; if there is none, make it.

    Two processes may do this at the same time: each makes the same file, and renames it when it is complete.

    Args:
        place: the place of the store.
        digests: of all contents, each once.
        images: returns the images, each content once; pixels are stored in this order.
        refuse: called for broken images while the store is made, in that order.
        report: called with the progress.

    Raises:
        DataError: it cannot be written. Errors of `refuse` are passed on.
    """
    key = _key(place.input_format, digests)
    store = _find(place, key)
    if store is not None:
        return store
    try:
        _make(place, key, len(digests), images, refuse, report)
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
        hint="set CNN_CACHE to a folder that can be written and has room for them",
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
        table = read_table(place.table(key))
        record, digests = table.record, table.digests
        pixels = np.load(place.pixels(key), mmap_mode="r")
        _verify(pixels, (len(digests), *place.input_format.shape), place.pixels(key), record)
    except FileNotFoundError:
        return None
    except DAMAGE as error:
        log.warning("%s is damaged (%s); the images are decoded again", place.pixels(key), error)
        return None
    if record["owner"] != place.owner:  # the folder was moved: it keeps its store
        with suppress(OSError):
            write_table(place.table(key), table._replace(record=record | {"owner": place.owner}))
    rows = {digest: row for row, digest in enumerate(digests)}
    problems = {digests[int(row)]: str(problem) for row, problem in record["problems"].items()}
    return Store(pixels, rows, problems, table.places)


def _verify(pixels: np.ndarray, shape: tuple[int, ...], path: Path, record: dict[str, Any]) -> None:
    """Raise ValueError if the pixels are not those that were written.

    They are read for this only if the file was touched.
    """
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise ValueError(f"{pixels.dtype} {list(pixels.shape)}, not uint8 {list(shape)}")
    if signature(path.stat()).hex() != record["signature"] and _sha256(path) != record["sha256"]:
        raise ValueError("its bytes were changed")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- making


def _make(place: Place, key: str, count: int, images: Images, refuse: Refuse, report: Report) -> None:
    place.folder.mkdir(parents=True, exist_ok=True)
    remove_abandoned(place.folder)
    log.info("%s: %d images are decoded into %s", place.root, count, place.pixels(key))
    with atomic_path(place.pixels(key)) as target:
        offset = _allocate(place, target, count)
        made = _decode(place, target, offset, images(), refuse, lambda done: report(done, count))
        if len(made.digests) != count:
            raise DataError(f"{place.root}: was changed while images were read", hint="start again")
        checksum = _sha256(target)
    record = {
        "owner": place.owner,
        "problems": made.problems,
        "sha256": checksum,
        "signature": signature(place.pixels(key).stat()).hex(),
    }
    pixels = np.frombuffer(b"".join(made.pixels), f"S{PIXELS_DIGEST}")
    places = np.unique(pixels, return_inverse=True)[1]
    write_table(place.table(key), Table(record, made.digests, places))


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


@dataclass(frozen=True)
class _Made:
    """What was decoded, row by row."""

    digests: list[bytes] = field(default_factory=list)
    pixels: list[bytes] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)


def _decode(
    place: Place,
    target: Path,
    offset: int,
    images: Iterator[Image],
    refuse: Refuse,
    report: Callable[[int], None],
) -> _Made:
    """Decode all images into the file."""
    size, made = int(np.prod(place.input_format.shape)), _Made()
    waiting: deque[list[Image]] = deque()
    limit = max(1, min(JOB_IMAGES, JOB_BYTES // size))

    def jobs() -> Iterator[Decoding]:
        start = 0
        for batch in _batches(images, limit):
            waiting.append(batch)
            yield Decoding(batch, place.input_format, target, offset + start * size)
            start += len(batch)

    with closing(_decoded(jobs(), place.input_format)) as results:
        for decoded in results:
            batch = waiting.popleft()
            for row, problem in decoded.problems.items():
                refuse(batch[row].name, problem)
                made.problems[len(made.digests) + row] = problem
            made.digests.extend(image.digest for image in batch)
            made.pixels.extend(decoded.pixels)
            report(len(made.digests))
    return made


def _decoded(jobs: Iterator[Decoding], input_format: InputFormat) -> Generator[Decoded, None, None]:
    """Yield the results of all jobs: of worker processes, unless nothing has to be decoded."""
    first = next(jobs, None)
    if first is None:
        return
    run = map if is_decoded(first.images[0], input_format) else map_ordered
    yield from run(decode, chain([first], jobs))


def _batches(images: Iterator[Image], limit: int) -> Iterator[list[Image]]:
    """Yield the images in batches of at most `limit`, and of not much more than JOB_BYTES of contents."""
    batch: list[Image] = []
    size = 0
    for image in images:
        batch.append(image)
        size += len(image.source) if isinstance(image.source, bytes) else 0
        if len(batch) == limit or size >= JOB_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


# ---- tidying up


def _remove_superseded(place: Place, key: str) -> None:
    """Remove the store of the same folder and input format from before its images changed."""
    for table in place.folder.glob("*.npz"):
        if table == place.table(key) or not table.with_suffix(".npy").exists():
            continue
        with suppress(*DAMAGE):
            if read_table(table).record["owner"] == place.owner:
                table.unlink()  # first: pixels without it do not count
                table.with_suffix(".npy").unlink()
