"""Jobs for other processes, in a module that is imported quickly there."""

import os
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cnn_cli.errors import DataError


def slower_first(number: int) -> tuple[int, int]:
    """Return the number and the process; the first job takes longest."""
    time.sleep(0.2 if number == 0 else 0)
    return number, os.getpid()


def loaded(_: int) -> list[str]:
    """Return the modules of the process."""
    return sorted(sys.modules)


def fail_at_five(number: int) -> int:
    if number == 5:
        raise DataError("five", hint="no fives")
    return number


def die_at_five(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def alone(seconds: float) -> tuple[float, float, int]:
    """Wait while no other worker does, and return start, end and process."""
    from cnn_cli.workers import one_at_a_time

    with one_at_a_time():
        start = time.monotonic()
        time.sleep(seconds)
        return start, time.monotonic(), os.getpid()


def die_while_saving(function: Callable[..., object], *arguments: object) -> None:
    """Call the function in a process that is killed when a file should reach the disk."""
    fsync = os.fsync

    def sync_or_die(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)

    os.fsync = sync_or_die
    function(*arguments)


def die_at_rename(number: int, function: Callable[..., object], *arguments: object) -> None:
    """Call the function in a process that is killed instead of renaming a file for this time."""
    earlier, rename = iter(range(number - 1)), Path.replace

    def rename_or_die(path: Path, target: Path) -> Path:
        if next(earlier, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    Path.replace = rename_or_die
    function(*arguments)
