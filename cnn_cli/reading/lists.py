"""Lists of the names of images: one per line or NUL-separated, in UTF-8 or UTF-16."""

import codecs
import os
import re
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

from cnn_cli.errors import DataError
from cnn_cli.reading.sources import ImageSource, find_images
from cnn_cli.text import printable

CHUNK = 65_536
"""Upper limit of the bytes that are read from a list at once."""

LONGEST_NAME = 32_768
"""Upper limit in bytes of a name: Windows', the longest of any system."""

MAX_CONTROLS = 0.05
"""Upper limit of the share of control characters in a list; among random bytes they are 11 %."""

_CONTROLS = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]")
_ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class ListError(Exception):
    """The bytes are not a list of names; the text says why."""


def listed(stream: BufferedIOBase, name: str) -> Iterator[ImageSource | DataError]:
    """Yield the images of a list of paths: one per line, or NUL-separated if the list contains a NUL.

    Paths are used as soon as they arrive, since the list may be a pipe. Each is handled as by `find_images`,
    but the top of the file system is never searched. A byte order mark is left out, and a list in UTF-16 is
    decoded, with or without one.

    Args:
        stream: the list. Empty lines are skipped.
        name: what to call the list in an error.
    """
    empty = True
    try:
        for path in _paths(stream):
            empty = False
            if _is_top(path):
                raise ListError("it names the top of the file system")
            yield from find_images([path])
    except ListError as error:
        hint = "write one path per line"
        yield DataError(f"{printable(name)}: is not a list of image names: {error}", hint=hint)
        return
    if empty:
        yield DataError(f"{printable(name)}: names no image", hint="write one path per line")


def _is_top(path: Path) -> bool:
    """Return whether it is `/` or a drive, also by another name such as `/..`."""
    full = os.path.abspath(path)  # noqa: PTH100 (Path.absolute keeps the two points)
    return full == os.path.dirname(full)  # noqa: PTH120


def _paths(stream: BufferedIOBase) -> Iterator[Path]:
    separator, rest = b"", b""
    for chunk in _decoded(stream):
        rest += chunk
        separator = separator or (b"\0" if b"\0" in rest else b"\n" if b"\n" in rest else b"")
        if separator:
            *complete, rest = rest.split(separator)
            yield from map(_path, filter(bytes.strip, complete))
        if len(rest) > LONGEST_NAME:
            raise ListError(f"a line is longer than {LONGEST_NAME:,} bytes")
    if rest.strip():
        yield _path(rest)


def _decoded(stream: BufferedIOBase) -> Iterator[bytes]:
    """Yield the bytes of a list as they arrive, from UTF-16 as those of the names on this system."""
    first = stream.read1(CHUNK)  # does not wait for a full chunk
    mark, encoding = next((pair for pair in _ENCODINGS if first.startswith(pair[0])), (b"", _guess(first)))
    first = first.removeprefix(mark)
    if encoding == "utf-8":
        if len(_CONTROLS.findall(first)) > MAX_CONTROLS * len(first):
            raise ListError("it holds control characters")
        yield first
        while chunk := stream.read1(CHUNK):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield os.fsencode(decoder.decode(first))
    while chunk := stream.read1(CHUNK):
        yield os.fsencode(decoder.decode(chunk))


def _guess(start: bytes) -> str:
    """Return the encoding of a list without a byte order mark.

    In UTF-16, Latin letters have a NUL at every second place. Taken for separators, these NULs would leave
    names of one letter, among them points and slashes, which name folders.
    """
    names = list(filter(None, start.split(b"\0")))
    if len(names) < 3 or sum(len(name) == 1 for name in names) <= len(names) / 2:
        return "utf-8"
    return "utf-16-le" if start[1::2].count(0) >= start[::2].count(0) else "utf-16-be"


def _path(name: bytes) -> Path:
    return Path(os.fsdecode(name.removesuffix(b"\r")))  # Windows ends a line with \r\n
