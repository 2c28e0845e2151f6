"""Atomic writing of files: a reader gets the old content or the new content, never a part of it."""

import io
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cnn_cli.errors import unwritable

TEMPORARY = ".tmp"
"""Suffix of an incomplete file; only a process that was killed leaves one behind."""


SIGNATURE = "<qqqQ"
"""Size, mtime and ctime in nanoseconds, inode."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file beside `path` that is renamed to `path` once its content is on the disk.

    If the body raises, or the process dies at any moment, `path` keeps its old content. Missing parent
    folders are created. The file gets the mode that `open` would give it, not the 0600 of mkstemp.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMPORARY, dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # errors of write and fsync name no file
        raise
    _sync_folder(path.parent)


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Yield the temporary file of `atomic_path`, open for writing."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_write(path) as file:
        file.write(text.encode())


def write_png(path: Path, save: Callable[[BinaryIO], object]) -> None:
    """Write a PNG atomically.

    Args:
        path: the file.
        save: writes the PNG's content to a binary file.

    Raises:
        DataError: the file cannot be written.
    """
    content = io.BytesIO()
    save(content)
    write_result(path, content.getvalue())


def write_result(path: Path, content: bytes) -> None:
    """Write a file that the user named, atomically.

    Raises:
        DataError: the file cannot be written.
    """
    try:
        with atomic_write(path) as file:
            file.write(content)
    except OSError as error:
        raise unwritable(path, error) from None


def is_visible(name: str) -> bool:
    """Return whether a file or folder of this name counts where a folder is searched.

    Hidden ones do not: their names begin with a point, also those of the `._` files in which macOS keeps what
    belongs to another file. Nor does the folder `__MACOSX`, which macOS adds to a ZIP archive.
    """
    return not name.startswith(".") and name != "__MACOSX"


def signature(status: os.stat_result) -> bytes:
    """Return 32 bytes that change with a file's content: ctime does, even if size and mtime are restored."""
    inode = status.st_ino % 2**64  # Windows has longer numbers
    return struct.pack(SIGNATURE, status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode)


def _umask() -> int:
    """Return the umask of the process. It can only be read by setting it, so it is set back at once."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Write the renamed entry of the folder to the disk. Windows cannot open a folder, and need not."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
