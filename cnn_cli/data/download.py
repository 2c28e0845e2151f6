"""One published file from the first of several mirrors that has it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from cnn_cli.data.transfer import LIMITS, Limits, Report, TransferError, transfer, transfer_to
from cnn_cli.data.verify import DamagedError, PublishedFile, check_md5, is_gzip, verified
from cnn_cli.errors import DataError
from cnn_cli.files import atomic_path, atomic_write

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with what is being done ("downloading x.gz"), how much of it is done, and the total (0 = unknown).

The numbers count images, or the bytes of a download; those come from another thread. When the next mirror is
tried, the bytes start again."""

Body = TypeVar("Body")

DOWNLOADS_OFF = "downloads are off (data.download=false or CNN_OFFLINE)"
"""The reason why a data set is not downloaded, for error messages."""


@dataclass(frozen=True)
class Download:
    """A file that has arrived: its path, its extracted content, and the mirror that had it."""

    path: Path
    content: bytes
    mirror: str


@dataclass(frozen=True)
class Archive:
    """A compressed file on the web site of a data set.

    Args:
        path: where it is stored, below the data root.
        md5: of the file as it is published, as hexadecimal digits.
        largest: upper limit of its bytes.
    """

    path: str
    md5: str
    largest: int

    @property
    def name(self) -> str:
        """The file's name, which is appended to the address of a mirror."""
        return self.path.rpartition("/")[2]


def download(
    file: PublishedFile,
    folder: Path,
    mirrors: Sequence[str],
    *,
    progress: Progress | None = None,
    limits: Limits = LIMITS,
) -> Download:
    """Fetch `file` into `folder`, as .gz. If one mirror fails, for whatever reason, the next one is tried.

    The bytes are verified in memory and then written atomically. So two processes may do this at the same
    time, and one that is killed leaves nothing under the file's name. A server that extracts on the way (it
    declares Content-Encoding: gzip) gives the extracted file, which is stored as such.

    Args:
        file: the file.
        folder: receives it; it is made if it does not exist.
        mirrors: addresses that `file.name`.gz is appended to.
        progress: called as the bytes arrive.
        limits: time limits of one request.

    Raises:
        DataError: no mirror has it (the message lists what each one did), or it cannot be written.
    """

    def fetch(url: str, report: Report | None) -> tuple[bytes, bytes]:
        body = transfer(url, file.largest, limits=limits, report=report)
        return body, verified(body, file)

    (body, content), mirror = _first(f"{file.name}.gz", mirrors, progress, fetch)
    path = folder / (f"{file.name}.gz" if is_gzip(body) else file.name)
    try:
        with atomic_write(path) as target:
            target.write(body)
    except OSError as error:
        raise _unwritable(path, error, "12 MB") from error
    return Download(path, content, mirror)


def download_archive(
    archive: Archive,
    root: Path,
    mirrors: Sequence[str],
    *,
    progress: Progress | None = None,
    limits: Limits = LIMITS,
) -> str:
    """Fetch `archive` into its place below `root`, and return the mirror that had it.

    An archive may be larger than memory. So it is written to a temporary file in the same folder, verified
    there by its MD5, and renamed.

    Raises:
        DataError: no mirror has it (the message lists what each one did), or it cannot be written.
    """
    path, limits = root / archive.path, limits.scaled(archive.largest)

    def fetch(url: str, report: Report | None) -> None:
        with atomic_path(path) as temporary:
            with temporary.open("wb") as target:
                transfer_to(target, url, archive.largest, limits=limits, report=report)
            check_md5(temporary, archive.md5)

    try:
        return _first(archive.name, mirrors, progress, fetch)[1]
    except OSError as error:
        raise _unwritable(path, error, f"{archive.largest // 1_000_000:,} MB") from error


def _first(
    name: str, mirrors: Sequence[str], progress: Progress | None, fetch: Callable[[str, Report | None], Body]
) -> tuple[Body, str]:
    """Return what `fetch` returns for the first mirror that it succeeds with, and that mirror."""
    report = None if progress is None else partial(progress, f"downloading {name}")
    failures = []
    for mirror in mirrors:
        try:
            return fetch(f"{mirror.rstrip('/')}/{name}", report), mirror
        except (TransferError, DamagedError) as error:
            failures.append(f"{mirror}: {error}")
            log.info("%s from %s", name, failures[-1])
    raise DataError(f"{name} cannot be downloaded ({'; '.join(failures) or DOWNLOADS_OFF})")


def _unwritable(path: Path, error: OSError, room: str) -> DataError:
    return DataError(
        f"{path} cannot be written: {error.strerror or error}",
        hint=f"set data.root or CNN_DATA to a folder that can be written and has {room} free",
    )
