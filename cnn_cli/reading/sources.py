"""Find the images that arguments name: files and their pages, folders, unexpanded patterns."""

import glob
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cnn_cli.data.own.arrays import image_file
from cnn_cli.data.own.table import is_table, read_rows
from cnn_cli.errors import DataError
from cnn_cli.image.formats import SUFFIXES
from cnn_cli.image.opening import count_pages, read_whole
from cnn_cli.image.pages import MAX_PAGES, ImageFile, Page
from cnn_cli.reading.folders import matching, walk
from cnn_cli.text import printable

PAGE = re.compile(r"(.+)#([1-9][0-9]{0,8})", re.DOTALL)
"""A file's name and the number of a page."""

ADDRESS = re.compile(r"(?:https?|ftp|s3|gs|data|file):", re.IGNORECASE)


@dataclass(frozen=True)
class ImageSource:
    """An image to read: its name, and its file, its bytes or a page of either."""

    name: str
    source: ImageFile

    @property
    def printable_name(self) -> str:
        """The name as messages show it: on one line, without control characters."""
        return printable(self.name)


def find_images(paths: Sequence[Path]) -> Iterator[ImageSource | DataError]:
    """Yield the images at `paths`, in that order; those in a folder or of a pattern are sorted by name.

    A file of several pages gives an image for each, named `file.tif#1`, `file.tif#2` and so on, and a table
    (.csv) one for each row, named alike; such a name gives that page or row alone. A folder without images,
    or a pattern that matches no file, gives an error in its place, and so does a folder that cannot be read.
    """
    for path in paths:
        yield from _at(path)


def _at(path: Path) -> Iterator[ImageSource | DataError]:
    name = str(path)
    if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises on a name that is too long)
        yield from _in_folder(path)
    elif os.path.lexists(path):
        yield from _rows(path) if is_table(path) else _in_file(path)
    elif ADDRESS.match(name):
        yield _is_address(name)
    elif (named := PAGE.fullmatch(name)) and os.path.isfile(named[1]):  # noqa: PTH113
        yield from _page(name, Path(named[1]), int(named[2]))
    elif glob.has_magic(name):
        yield from _matching(path)
    else:
        yield ImageSource(name, path)  # reading it gives the error


def _page(name: str, path: Path, number: int) -> Iterator[ImageSource | DataError]:
    """Yield a page of a file, or the image in a row of a table."""
    if not is_table(path):
        yield ImageSource(name, Page(path, number))
        return
    row = next(islice(_rows(path), number - 1, None), None)
    yield row or DataError(f"{printable(name)}: the table has no row {number}", hint="the first row is #1")


def _rows(path: Path) -> Iterator[ImageSource | DataError]:
    """Yield the image in each row of a table, named `test.csv#1`, `test.csv#2` and so on."""
    try:
        images = read_rows(path).images
    except DataError as error:
        yield error
        return
    for number, image in enumerate(images, 1):
        yield ImageSource(f"{path}#{number}", image_file(image))


def _in_folder(folder: Path) -> Iterator[ImageSource | DataError]:
    empty = True
    for found in walk(folder):
        if isinstance(found, DataError):
            empty = False
            yield found
        elif found.suffix.lower() in SUFFIXES and _is_file(found):
            empty = False
            yield from _in_file(found)
    if empty:
        yield DataError(f"{printable(str(folder))}: a folder without images")


def _is_file(path: Path) -> bool:
    """Return whether it is a file, or a link to nothing, which gives an error. A pipe is neither."""
    try:
        return path.is_symlink() or path.is_file()
    except OSError:  # its folder may be listed, but not entered
        return True


def _matching(pattern: Path) -> Iterator[ImageSource | DataError]:
    """Yield the images of a pattern, and those in the folders that it matches."""
    empty = True
    for found in matching(pattern):
        empty = False
        yield from [found] if isinstance(found, DataError) else _at(found)
    if empty:
        name = printable(str(pattern))
        yield DataError(f"{name}: matches no file", hint="* stands for any name, ** for any folders")


def _in_file(path: Path) -> Iterator[ImageSource | DataError]:
    """Yield the pages of a file. What is no regular file, such as a pipe, can be read only once: here."""
    name = str(path)
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError:
        yield ImageSource(name, path)  # reading it gives the error
        return
    try:
        yield from pages_of(name, path if regular else _content(path))
    except DataError as error:
        yield error


def _content(path: Path) -> bytes:
    name = printable(str(path))
    try:
        with path.open("rb") as stream:
            return read_whole(stream, name)
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from None


def pages_of(name: str, source: Path | bytes) -> Iterator[ImageSource | DataError]:
    """Yield the pages of an image file; an image alone in its file has the file's name.

    Args:
        name: the file's name.
        source: the file's path or content.
    """
    count = count_pages(source, name=name)
    if count == 1:
        yield ImageSource(name, source)
        return
    for number in range(1, min(count, MAX_PAGES) + 1):
        yield ImageSource(f"{name}#{number}", Page(source, number))
    if count > MAX_PAGES:
        yield DataError(
            f"{printable(name)}: has {count:,} pages, of which the first {MAX_PAGES:,} are read",
            hint=f"name a later page: {printable(name)}#{MAX_PAGES + 1}",
        )


def _is_address(name: str) -> DataError:
    """Return the error for a web address. Of its two slashes, a path has kept one."""
    address = printable(re.sub(r"^(\w+):/(?!/)", r"\1://", name))
    return DataError(
        f"{address}: is an address, not a file, and nothing is downloaded",
        hint="save the image first, or pipe it: curl -L ADDRESS | cnn predict -",
    )
