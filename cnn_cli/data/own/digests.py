"""Digests of the content of files. As in git's index, a file is not read again until it changes."""

import hashlib
import logging
import os
import struct
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from cnn_cli.data.own.contents import Entry
from cnn_cli.data.own.jobs import Digesting, digest
from cnn_cli.files import SIGNATURE, atomic_write
from cnn_cli.workers import map_ordered

log = logging.getLogger(__name__)

CHUNK = 512
"""Files per job."""

SETTLED = 2_000_000_000
"""Nanoseconds after which another change of a file shows in its times: FAT stores them in steps of 2 s."""

DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile)
"""The errors of NumPy and zipfile for a damaged file."""

Report = Callable[[int, int], None]
"""Called with the number of files that are done, and the total."""


def digests(root: Path, files: Sequence[Entry], memory: Path, report: Report) -> list[bytes | str]:
    """Return the SHA-256 of every file's content, or the reason why it cannot be read.

    Args:
        root: the folder that the files' paths start in.
        files: the files, as the folder was just scanned.
        memory: file that keeps the digests for the next time; it is no error if it cannot be written.
        report: called with the progress.
    """
    now = time.time_ns()
    known = _load(memory)
    contents = [known.get((file.name, file.signature)) for file in files]
    new = [index for index, value in enumerate(contents) if value is None]
    log.info("%s: %d of %d images have to be read", root, len(new), len(files))
    jobs = [
        Digesting(root, [files[index].name for index in new[start : start + CHUNK]])
        for start in range(0, len(new), CHUNK)
    ]
    with closing(map_ordered(digest, jobs)) as results:
        for number, values in enumerate(results):
            for index, value in zip(new[number * CHUNK :], values, strict=False):
                contents[index] = value
            report(min((number + 1) * CHUNK, len(new)), len(new))
    complete = [value for value in contents if value is not None]
    if new or len(known) != len(files):
        _save(memory, files, complete, now)
    return complete


def memory_path(folder: Path, root: Path) -> Path:
    """Return the file below `folder` that keeps the digests of `root`."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]
    return folder / f"files-{name}.npz"


def _load(memory: Path) -> dict[tuple[str, bytes], bytes | str]:
    """Return the stored digests by path and signature."""
    try:
        with memory.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            paths, signatures, digests = (arrays[name] for name in ("paths", "signatures", "digests"))
        names = os.fsdecode(paths.tobytes()).split("\0")
        keys = zip(names, _rows(signatures), strict=True)
        return dict(zip(keys, _rows(digests), strict=True)) if len(signatures) else {}
    except FileNotFoundError:
        return {}
    except DAMAGE as error:
        log.warning("%s cannot be read (%s); all images are read again", memory, error)
        return {}


def _rows(array: np.ndarray) -> list[bytes]:
    """Return the rows of uint8 [N, 32]."""
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != 32:
        raise ValueError("not 32 bytes a row")
    content = array.tobytes()
    return [content[start : start + 32] for start in range(0, len(content), 32)]


def _save(memory: Path, files: Sequence[Entry], digests: Sequence[bytes | str], now: int) -> None:
    """Store the digests, except of files that have just changed: their times may not show the next change."""
    kept = [
        (file, value)
        for file, value in zip(files, digests, strict=True)
        if isinstance(value, bytes) and file.signature and changed(file.signature) < now - SETTLED
    ]
    names = "\0".join(file.name for file, _ in kept)
    try:
        with atomic_write(memory) as target:
            np.savez(
                target,
                paths=_bytes(os.fsencode(names)),
                signatures=_bytes(b"".join(file.signature for file, _ in kept)).reshape(-1, 32),
                digests=_bytes(b"".join(value for _, value in kept)).reshape(-1, 32),
            )
    except OSError as error:
        log.info("%s cannot be written (%s); the next start reads all images", memory, error)


def changed(signature: bytes) -> int:
    """Return the time of the last change of a file's content or times, in nanoseconds."""
    _, mtime, ctime, _ = struct.unpack(SIGNATURE, signature)
    return int(max(mtime, ctime))


def _bytes(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8)
