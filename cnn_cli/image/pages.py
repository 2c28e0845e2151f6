"""Files of several images: the pages of a TIFF or PDF, the frames of a GIF, PNG or WebP animation."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_PAGES = 1000
"""Upper limit of the pages of one file that are read without being named."""

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a TIFF file begins: in either byte order, also with 64-bit offsets."""
_WEBP_ANIMATION = 0x02  # in the flags of the chunk VP8X (the WebP container specification)


@dataclass(frozen=True)
class Page:
    """One page of a file of several."""

    file: Path | bytes
    """The file's path or its content."""
    number: int
    """From 1."""


ImageFile = Path | bytes | Page
"""Where an image comes from: a file's path, a file's content, or a page of either. Of a file of several pages
that is given as a whole, the first page is read."""


def may_have_pages(file: BinaryIO) -> bool:
    """Return whether an image file, read from its start, is of a kind that can have several pages."""
    head = file.read(32)
    if head.startswith(b"\x89PNG"):
        return _is_animated_png(file)
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
        return bool(head[20] & _WEBP_ANIMATION) if len(head) > 20 else False
    return head.startswith((*TIFF, b"GIF8"))


def _is_animated_png(file: BinaryIO) -> bool:
    """Return whether the chunk of an animation comes before those of the pixels."""
    file.seek(8)
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind in (b"acTL", b"IDAT"):
            return bool(kind == b"acTL")
        file.seek(length + 4, os.SEEK_CUR)
    return False
