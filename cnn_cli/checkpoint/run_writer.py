"""The one process that writes into a run's folder: a new run, a replacement, or one that continues."""

import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.errors import ConfigError, DataError
from cnn_cli.locks import LOCK, OWNER, locked


@contextmanager
def new_run(requested: Path, *, overwrite: bool = False) -> Iterator[RunFolder]:
    """Yield a folder for a new run: `requested`, or if that has content `requested-2`, `requested-3` ...

    No other process writes into it meanwhile. Two runs that start at the same time get different folders.

    Args:
        requested: the folder to use.
        overwrite: replace the run that is in `requested`, once the new one is finished.

    Raises:
        ConfigError: the folder cannot be created, or another process trains the run to replace.
    """
    if os.path.isfile(requested):  # noqa: PTH113 (Path.is_file raises on a name that is too long)
        raise ConfigError(f"{requested}: is a file, not a folder for a run", hint="name a folder with --out")
    with ExitStack() as stack:
        try:
            if overwrite and requested.is_dir():
                folder = _place_of_replacement(requested, stack)
            else:
                folder = _place_of_new_run(requested, stack)
        except OSError as error:
            if error.errno == errno.ENOSPC:  # no other folder helps
                raise
            raise ConfigError(
                f"{requested}: the run's folder cannot be created: {error.strerror or error}",
                hint="choose a writable folder with --out or output.folder",
            ) from None
        yield folder


@contextmanager
def continued_run(path: Path, *, writes: bool = True, longer: bool = False) -> Iterator[RunFolder]:
    """Yield the folder of a run to continue; no other process writes into it meanwhile.

    If `--overwrite` was stopped there, this is the run that replaces the other.

    Args:
        path: the folder that people name.
        writes: whether this process writes the files; of several that train together only one does.
        longer: whether it goes on although it may be finished.

    Raises:
        DataError: there is no such run.
        ConfigError: another process trains it.
    """
    folder = RunFolder(path)
    if not path.is_dir():
        raise DataError(f"{path}: there is no such run", hint="--resume takes the folder of a run")
    is_done = folder.finished and not longer and not folder.replacement.path.is_dir()
    if not writes or is_done:
        yield folder.replacement if folder.replacement.state.is_file() else folder
        return
    with locked(path, _message(path)):
        folder.remove_leftovers()
        yield folder.replacement if _finish_replacing(folder) else folder


def _message(path: Path) -> str:
    return f"{path}: another process trains this run"


def _place_of_new_run(requested: Path, stack: ExitStack) -> RunFolder:
    """Create and lock the first of the folders `requested`, `requested-2` ... that is free."""
    for number in itertools.count(1):
        path = requested if number == 1 else _sibling(requested, number)
        if not _is_free(path):
            continue
        lock = ExitStack()
        try:
            lock.enter_context(locked(path, _message(path)))
        except ConfigError:  # another run that has started at the same time
            continue
        if _is_free(path):
            stack.enter_context(lock)
            return RunFolder(path)
        lock.close()  # that run has ended meanwhile
    raise AssertionError("itertools.count has no end")


def _place_of_replacement(requested: Path, stack: ExitStack) -> RunFolder:
    """Lock the folder. Return it if it has no checkpoint to keep, else the folder of a run beside it."""
    stack.enter_context(locked(requested, _message(requested)))
    folder = RunFolder(requested)
    folder.remove_leftovers()
    if _finish_replacing(folder):
        shutil.rmtree(folder.replacement.path)
    if folder.checkpoint.is_file():
        return folder.replacement
    folder.clear()
    return folder


def _finish_replacing(folder: RunFolder) -> bool:
    """Return whether there is an unfinished replacement. One that was finished replaces the run now."""
    new = folder.replacement
    if new.finished:  # its process was killed while it put the files in their places
        new.publish()
    if new.state.is_file():
        return True
    shutil.rmtree(new.path, ignore_errors=True)
    return False


def _is_free(path: Path) -> bool:
    """Return whether a new run may use a path: nothing is there, or an empty folder that the user made."""
    if not path.is_dir():
        return not os.path.lexists(path)
    return not {entry.name for entry in path.iterdir()} - {LOCK, OWNER}


def _sibling(path: Path, number: int) -> Path:
    """Return `runs/a-2` for `runs/a`; `.` and `..` are resolved first, because they are not names."""
    named = path if path.name not in ("", "..") else path.resolve()
    return named.parent / f"{named.name}-{number}"
