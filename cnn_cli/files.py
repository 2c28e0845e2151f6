"""Writing files so that a reader sees the old content or the new one, never a part of it."""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cnn_cli.errors import unwritable

TEMPORARY = ".tmp"
"""Suffix of what is not yet whole; only a process that was killed leaves such a file behind."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """An empty temporary file beside `path`, which takes the name `path` once what is written is on the disk.

    When the body raises, or the process dies at any moment, `path` still holds what it held before. Missing
    parent folders are made. The file gets the mode that `open` would have given it, not mkstemp's 0600.
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
            error.filename = str(path)  # write and fsync do not say what they were writing
        raise
    _sync_folder(path.parent)


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """The same as an open file, for code that writes it all at once."""
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
    try:
        with atomic_write(path) as file:
            file.write(content.getvalue())
    except OSError as error:
        raise unwritable(path, error) from None


def _umask() -> int:
    """The process's umask. The system tells it only by setting it, so it is set back at once."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Put the renamed entry on the disk. Windows cannot open a folder, and needs none of this."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
