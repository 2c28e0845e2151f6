"""The images in a folder: their names, and nothing of their content."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cnn_cli.data.own.contents import natural_key, unreadable
from cnn_cli.errors import DataError
from cnn_cli.files import is_visible, signature
from cnn_cli.image.formats import IMAGE_SUFFIXES

LIST = "labels.csv"
"""The file that has the labels of a flat folder."""


@dataclass(frozen=True)
class Tree:
    """The names of the images and folders below a root: a folder, or an archive.

    Args:
        root: the root, for messages.
        files: the signature of each image, and of each list of labels, by its path below the root.
        folders: the paths of all folders.
        read: returns the content of a list of labels.
    """

    root: Path
    files: dict[str, bytes]
    folders: frozenset[str]
    read: Callable[[str], bytes]

    @cached_property
    def _below(self) -> dict[str, list[str]]:
        below: dict[str, list[str]] = {}
        for path in self.folders:
            above, _, name = path.rpartition("/")
            below.setdefault(above, []).append(name)
        return {above: sorted(names, key=natural_key) for above, names in below.items()}

    @cached_property
    def _images(self) -> dict[str, list[str]]:
        """The paths of the images that lie right in each folder."""
        images: dict[str, list[str]] = {}
        for path in sorted(self.files):
            folder, _, name = path.rpartition("/")
            if name != LIST:
                images.setdefault(folder, []).append(path)
        return images

    def subfolders(self, folder: str) -> list[str]:
        """Return the names of the folders right in a folder (`""`: the root), in natural order."""
        return self._below.get(folder, [])

    def images(self, folder: str) -> list[str]:
        """Return the paths of the images right in a folder, sorted."""
        return self._images.get(folder, [])

    def images_below(self, folder: str) -> list[str]:
        """Return the paths of the images at any depth of a folder, sorted."""
        found, waiting = [], [folder]
        while waiting:
            here = waiting.pop()
            found += self.images(here)
            waiting += [join(here, name) for name in self.subfolders(here)]
        return sorted(found)

    def place(self, path: str) -> Path:
        """Return a path below the root, for messages."""
        return self.root / path


def join(folder: str, name: str) -> str:
    """Return the path of a name in a folder; `""` is the root."""
    return f"{folder}/{name}" if folder else name


def is_image(name: str) -> bool:
    """Return whether a file of this name counts as an image."""
    return f".{name.rpartition('.')[2].lower()}" in IMAGE_SUFFIXES


def tree_of(root: Path) -> Tree:
    """Find the images in a folder: files with an image's suffix, not hidden, at any depth.

    Raises:
        DataError: there is no such folder, or it cannot be read.
    """
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    for path, found in _walk(root, "", frozenset()):
        if found is None:
            folders.add(path)
        else:
            files[path] = found
    return Tree(root, files, frozenset(folders), lambda path: _content(root / path))


def holds_images(root: Path, depth: int = 3) -> bool:
    """Return whether there is an image in a folder, at most `depth` folders deep."""
    waiting = [(root, 0)]
    while waiting:
        folder, level = waiting.pop()
        for entry in _entries(folder):
            if _is_folder(entry):
                if level < depth:
                    waiting.append((Path(entry), level + 1))
            elif is_image(entry.name):
                return True
    return False


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def _walk(root: Path, inside: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, bytes | None]]:
    """Yield (path below root, signature) of every image below root/inside, and (path, None) of folders."""
    folder = root / inside
    with _errors(folder):
        status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:  # a symbolic link to a folder above it
        return
    for entry in _entries(folder):
        path = join(inside, entry.name)
        if _is_folder(entry):
            yield path, None
            yield from _walk(root, path, above | {here})
        elif (is_image(entry.name) or entry.name == LIST) and _is_file(entry):
            yield path, _signature(entry)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return the visible entries of `folder`, sorted by name."""
    with _errors(folder), os.scandir(folder) as entries:
        return sorted((e for e in entries if is_visible(e.name)), key=lambda entry: entry.name)


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    """Explain to the user why a folder cannot be read."""
    hint = "set data.root to the folder of the images"
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{folder}: no such folder", hint=hint) from error
    except NotADirectoryError as error:
        raise DataError(f"{folder}: is not a folder", hint=hint) from error
    except OSError as error:
        hint = "check the folder's permissions"
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}", hint=hint) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # symbolic links in a circle
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a file, or a link to a missing one, which is a broken image. A pipe is neither."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry).exists())
    except OSError:
        return True


def _signature(entry: os.DirEntry[str]) -> bytes:
    try:
        return signature(entry.stat())
    except OSError:
        return b""
