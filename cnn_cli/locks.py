"""Locks of folders: one process writes into a folder, and others are told which one."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from cnn_cli.errors import ConfigError
from cnn_cli.files import make_folder

log = logging.getLogger(__name__)

LOCK, OWNER = ".lock", ".owner"
"""Files in a locked folder: one that the system locks, and one that says which process holds it."""


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Keep other processes out of a folder, which is created, while the body runs.

    The system releases the lock of a process that dies, so there is none to remove by hand.

    Args:
        folder: the folder.
        what: what another process does if it holds the lock, for the message.

    Raises:
        ConfigError: another process holds the lock.
        OSError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    make_folder(folder)
    lock, owner = FileLock(folder / LOCK, timeout=0), folder / OWNER
    try:
        lock.acquire()
    except Timeout:
        raise ConfigError(
            f"{what} ({_who(owner)})", hint="wait until it ends; a new one needs another --out"
        ) from None
    except NotImplementedError:  # by some network file systems
        log.warning("%s: its file system has no locks; let only one process write there", folder)
        yield
        return
    try:
        with suppress(OSError):  # a message can do without it
            owner.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {_now()}\n")
        yield
    finally:
        with suppress(OSError):  # the lock is what counts; the next owner replaces the text
            owner.unlink()
        lock.release()


def _who(owner: Path) -> str:
    """Return what the owner of a lock wrote about itself."""
    try:
        return owner.read_text().strip()
    except OSError:
        return "it has just started"


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
