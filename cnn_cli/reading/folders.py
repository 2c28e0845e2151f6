"""Walk folders, and match patterns over several levels of them."""

import fnmatch
import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from cnn_cli.errors import DataError
from cnn_cli.files import is_visible
from cnn_cli.text import printable

ANY_FOLDERS = "**"


def walk(folder: Path) -> Iterator[Path | DataError]:
    """Yield the files in a folder at any depth, in the order of the names on each level.

    What is not visible (`files.is_visible`) is passed over. Links to folders are followed, and each folder is
    read once. A folder that cannot be read gives an error in its place, and so does a link that leads back to
    a folder above it.
    """
    visited: set[tuple[int, int]] = set()
    waiting = [(folder, True)]  # the next is the last; a recursion could not go as deep as folders do
    while waiting:
        path, is_folder = waiting.pop()
        if not is_folder:
            yield path
            continue
        try:
            entries = _entries(path, visited)
        except OSError as error:
            yield _problem(path, f"cannot be read: {error.strerror}", "check the folder's permissions")
            continue
        if entries is None and _is_above_itself(path):
            yield _problem(path, "is a link to a folder that it is in", "remove the link")
        waiting += [(path / entry.name, _is_folder(entry)) for entry in reversed(entries or [])]


def _entries(folder: Path, visited: set[tuple[int, int]]) -> list[os.DirEntry[str]] | None:
    """Return the visible entries of a folder in the order of their names; None if it was visited before."""
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in visited:
        return None
    visited.add(identity)
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if is_visible(entry.name)), key=lambda entry: entry.name)


def _is_above_itself(link: Path) -> bool:
    folder, target = os.path.realpath(link.parent), os.path.realpath(link)
    return os.path.commonpath([folder, target]) == target


def _problem(folder: Path, problem: str, hint: str) -> DataError:
    return DataError(f"{printable(str(folder))}: {problem}", hint=hint)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links in a circle: an error when it is opened
        return False


def matching(pattern: Path) -> Iterator[Path | DataError]:
    """Yield what a pattern such as `scans/**/*.png` matches, sorted. With ** in it, these are files alone.

    Hidden files and folders match only a pattern that begins with their point, and nothing with ** in it.
    """
    parts = pattern.parts
    if ANY_FOLDERS not in parts:
        yield from map(Path, sorted(glob.glob(str(pattern))))  # noqa: PTH207 (Path.glob takes no absolute one)
        return
    place = parts.index(ANY_FOLDERS)
    above = str(Path(*parts[:place]))
    for base in sorted(glob.glob(above)):  # noqa: PTH207
        if os.path.isdir(base):  # noqa: PTH112 (Path.is_dir raises on a name that is too long)
            for found in walk(Path(base)):
                if isinstance(found, DataError) or _fits(found.relative_to(base).parts, parts[place:]):
                    yield found


def _fits(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the parts of a path match those of a pattern; ** stands for any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == ANY_FOLDERS:
        rest = pattern[1:] or ("*",)
        return any(_fits(parts[start:], rest) for start in range(len(parts)))
    return bool(parts) and fnmatch.fnmatch(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])
