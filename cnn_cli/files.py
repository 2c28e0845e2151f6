"""Atomic writing of files: a reader gets the old content or the new content, never a part of it."""

import errno
import io
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cnn_cli.errors import ConfigError, unwritable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TEMPORARY = ".tmp"
"""Suffix of an incomplete file; only a process that was killed leaves one behind."""


SIGNATURE = "<qqqQ"
"""Size, mtime and ctime in nanoseconds, inode."""


@contextmanager
def atomic_path(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield an empty temporary file beside `path` that is renamed to `path` once its content is on the disk.

    If the body raises, or the process dies at any moment, `path` keeps its old content. Missing parent
    folders are created. The file gets the mode that `open` would give it, not the 0600 of mkstemp. Temporary
    files that killed processes left behind are removed.

    Args:
        path: the file.
        replace: whether a file that is there already is replaced.

    Raises:
        FileExistsError: it is there and must not be replaced.
    """
    make_folder(path.parent)
    remove_leftovers(path)
    descriptor, temporary = _create_temporary(path)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        (Path.replace if replace else _rename_new)(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # errors of write and fsync name no file
        raise
    finally:
        if descriptor is not None:
            os.close(descriptor)
    sync_folder(path.parent)


def _create_temporary(path: Path) -> tuple[int | None, Path]:
    """Create a temporary file, locked as long as the descriptor is open: it is no leftover."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=_prefix(path), suffix=TEMPORARY, dir=path.parent)
        if fcntl is None:
            os.close(descriptor)  # Windows renames no open file
            return None, Path(name)
        with suppress(OSError):  # by a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, Path(name)
        os.close(descriptor)  # another process took it for a leftover before it was locked


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of writes of `path` whose processes were killed.

    A living process has its temporary file locked, so that two may write the same file at the same time.
    """
    if fcntl is None:
        return
    prefix = _prefix(path)
    with suppress(OSError):
        for entry in path.parent.iterdir():
            if entry.name.startswith(prefix) and entry.suffix == TEMPORARY:
                _remove_unlocked(entry)


def _remove_unlocked(temporary: Path) -> None:
    """Remove a file unless a process has locked it, or it cannot be removed."""
    with suppress(OSError), temporary.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        temporary.unlink()


def _prefix(path: Path) -> str:
    return f".{path.name}."


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, and write their entries to the disk."""
    missing = []
    while not folder.is_dir() and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        sync_folder(new.parent)


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


def check_working_folder() -> None:
    """Check that the folder in which the program was started is still there.

    Raises:
        ConfigError: it was deleted.
    """
    try:
        Path.cwd()
    except OSError:
        raise ConfigError(
            "the working folder does not exist any more", hint="cd into a folder that exists"
        ) from None


def is_visible(name: str) -> bool:
    """Return whether a file or folder of this name counts where a folder is searched.

    Hidden ones do not: their names begin with a point, also those of the `._` files in which macOS keeps what
    belongs to another file. Nor does the folder `__MACOSX`, which macOS adds to a ZIP archive.
    """
    return not name.startswith(".") and name != "__MACOSX"


def _rename_new(temporary: Path, path: Path) -> None:
    """Rename a file to a name that no file has yet.

    Only a hard link checks the name and takes it in one step. Where there are none (FAT), these are two.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.rename(path)
    else:
        temporary.unlink()


def signature(status: os.stat_result) -> bytes:
    """Return 32 bytes that change with a file's content: ctime does, even if size and mtime are restored."""
    inode = status.st_ino % 2**64  # Windows has longer numbers
    return struct.pack(SIGNATURE, status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode)


def sync_folder(folder: Path) -> None:
    """Write the renamed entry of the folder to the disk. Windows cannot open a folder, and need not."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    """Return the umask of the process. It can only be read by setting it, so it is set back at once."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
