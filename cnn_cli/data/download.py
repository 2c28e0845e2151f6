"""One published file from the first of several mirrors that has it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cnn_cli.data.transfer import LIMITS, Limits, TransferError, transfer
from cnn_cli.data.verify import DamagedError, PublishedFile, is_gzip, verified
from cnn_cli.errors import DataError
from cnn_cli.files import atomic_write

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with what is being done ("downloading x.gz"), how much of it is done, and how much there is in all
(0 = unknown): images, or the bytes of a download, and then from another thread. A file that is tried at the
next mirror starts again from few bytes."""


@dataclass(frozen=True)
class Download:
    """A file that has arrived: where it lies, its extracted content, and the mirror that had it."""

    path: Path
    content: bytes
    mirror: str


def download(
    file: PublishedFile,
    folder: Path,
    mirrors: Sequence[str],
    *,
    progress: Progress | None = None,
    limits: Limits = LIMITS,
) -> Download:
    """Fetch `file` into `folder`, as .gz. Every mirror is tried, whatever goes wrong with the one before.

    The bytes are verified in memory; only then are they written, atomically. So two processes may do this at
    the same time, and one that is killed leaves nothing under the file's name. A server that extracts on the
    way (it declares Content-Encoding: gzip) gives the extracted file, which is kept as such.

    Args:
        mirrors: addresses that `file.name`.gz is appended to.

    Raises:
        DataError: no mirror has it (the message lists what each one did), or it cannot be written.
    """
    failures = []
    for mirror in mirrors:
        try:
            body = _fetch(file, mirror, progress, limits)
            content = verified(body, file)
        except (TransferError, DamagedError) as error:
            failures.append(f"{mirror}: {error}")
            log.info("%s from %s", file.name, failures[-1])
            continue
        path = folder / (f"{file.name}.gz" if is_gzip(body) else file.name)
        _save(path, body)
        return Download(path, content, mirror)
    raise DataError(f"{file.name}.gz cannot be downloaded ({'; '.join(failures) or 'no mirrors are given'})")


def _fetch(file: PublishedFile, mirror: str, progress: Progress | None, limits: Limits) -> bytes:
    url = f"{mirror.rstrip('/')}/{file.name}.gz"
    report = None if progress is None else partial(progress, f"downloading {file.name}.gz")
    return transfer(url, file.largest, limits=limits, report=report)


def _save(path: Path, body: bytes) -> None:
    try:
        with atomic_write(path) as target:
            target.write(body)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="set data.root or CNN_DATA to a folder that can be written and has 12 MB free",
        ) from error
