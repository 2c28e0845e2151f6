"""Find the images that arguments name: files, folders, unexpanded patterns, and lists of names."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

from cnn_cli.errors import DataError
from cnn_cli.image.decode import SUFFIXES

CHUNK = 65_536
"""Upper limit of the bytes that are read from a list at once."""


@dataclass(frozen=True)
class ImageSource:
    """An image to read: the name that is shown for it, and its file or its bytes."""

    name: str
    source: Path | bytes


def find_images(paths: Sequence[Path]) -> Iterator[ImageSource | DataError]:
    """Yield the images at `paths`, in that order; those in a folder or of a pattern are sorted by name.

    A folder without images, or a pattern that matches no file, gives an error in its place.
    """
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises on a name that is too long)
            yield from _in_folder(path)
        elif glob.has_magic(str(path)) and not os.path.lexists(path):
            yield from _matching(path)
        else:
            yield ImageSource(str(path), path)


def _in_folder(folder: Path) -> Iterator[ImageSource | DataError]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    yield from (ImageSource(str(file), file) for file in files)
    if not files:
        yield DataError(f"{folder}: a folder without images")


def _matching(pattern: Path) -> Iterator[ImageSource | DataError]:
    """Yield the images of a pattern such as `scans/**/*.png`, and those in the folders that it matches."""
    names = sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207 (Path.glob takes no absolute one)
    if "**" in pattern.parts:  # it matches folders as well as all files in them
        names = [name for name in names if not os.path.isdir(name)]  # noqa: PTH112
    if not names:
        yield DataError(f"{pattern}: matches no file", hint="* stands for any name, ** for any folders")
    yield from find_images([Path(name) for name in names])


def listed(stream: BufferedIOBase, name: str) -> Iterator[ImageSource | DataError]:
    """Yield the images of a list of paths: one per line, or NUL-separated if the list contains a NUL.

    Paths are used as soon as they arrive, since the list may be a pipe. Each is handled as by `find_images`.

    Args:
        stream: the list. Empty lines are skipped.
        name: what to call the list in an error.
    """
    empty = True
    for path in _paths(stream):
        empty = False
        yield from find_images([path])
    if empty:
        yield DataError(f"{name}: names no image", hint="write one path per line")


def _paths(stream: BufferedIOBase) -> Iterator[Path]:
    separator, rest = b"", b""
    while chunk := stream.read1(CHUNK):  # does not wait for a full chunk
        rest += chunk
        separator = separator or (b"\0" if b"\0" in rest else b"\n" if b"\n" in rest else b"")
        if separator:
            *complete, rest = rest.split(separator)
            yield from map(_path, filter(bytes.strip, complete))
    if rest.strip():
        yield _path(rest)


def _path(name: bytes) -> Path:
    return Path(os.fsdecode(name.removesuffix(b"\r")))  # Windows ends a line with \r\n
