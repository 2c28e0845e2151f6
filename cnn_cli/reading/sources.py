"""Which images are meant: files, folders, patterns that no shell has expanded, and lists of names."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

from cnn_cli.errors import DataError
from cnn_cli.image.decode import SUFFIXES

CHUNK = 65_536
"""Bytes of a list that are read at once, at most."""


@dataclass(frozen=True)
class ImageSource:
    """An image to read: its name for people, and its file or its bytes."""

    name: str
    source: Path | bytes


def find_images(paths: Sequence[Path]) -> Iterator[ImageSource | DataError]:
    """The images at `paths`, in that order; those below a folder or behind a pattern by their names.

    A folder without images, and a pattern that fits no file, give an error in its place.
    """
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises on a name that is too long)
            yield from _inside(path)
        elif glob.has_magic(str(path)) and not os.path.lexists(path):
            yield from _fitting(path)
        else:
            yield ImageSource(str(path), path)


def _inside(folder: Path) -> Iterator[ImageSource | DataError]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    yield from (ImageSource(str(file), file) for file in files)
    if not files:
        yield DataError(f"{folder}: a folder without images")


def _fitting(pattern: Path) -> Iterator[ImageSource | DataError]:
    """The images behind a pattern such as `scans/**/*.png`, and in the folders that it fits."""
    names = sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207 (Path.glob takes no absolute one)
    if "**" in pattern.parts:  # it fits the folders too, beside all that they hold
        names = [name for name in names if not os.path.isdir(name)]  # noqa: PTH112
    if not names:
        yield DataError(f"{pattern}: fits no file", hint="* stands for any name, ** for any folders")
    yield from find_images([Path(name) for name in names])


def listed(stream: BufferedIOBase, name: str) -> Iterator[ImageSource | DataError]:
    """The images in a list of paths, one a line, or one before each NUL if there is a NUL in it.

    They are taken as they come: the list may be a pipe. What is named is read as `find_images` does.

    Args:
        stream: the list. Empty lines do not count.
        name: what to call it in an error.
    """
    empty = True
    for path in _names(stream):
        empty = False
        yield from find_images([path])
    if empty:
        yield DataError(f"{name}: names no image", hint="write one path a line")


def _names(stream: BufferedIOBase) -> Iterator[Path]:
    separator, rest = b"", b""
    while chunk := stream.read1(CHUNK):  # what is there by now
        rest += chunk
        separator = separator or (b"\0" if b"\0" in rest else b"\n" if b"\n" in rest else b"")
        if separator:
            *whole, rest = rest.split(separator)
            yield from map(_path, filter(bytes.strip, whole))
    if rest.strip():
        yield _path(rest)


def _path(name: bytes) -> Path:
    return Path(os.fsdecode(name.removesuffix(b"\r")))  # Windows ends a line with two characters
