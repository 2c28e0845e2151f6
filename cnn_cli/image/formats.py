"""The formats that are read, an explicit list, and what a file is that has none of them."""

import importlib
import struct
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from cnn_cli.errors import DataError

IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"}
    | {".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
)
"""File names that count as images in a folder. A file that is named itself is tried whatever its suffix."""

SUFFIXES = IMAGE_SUFFIXES | {".pdf"}
"""File names that count as images or documents to be read in a folder."""

COMMON = ("PNG", "JPEG", "GIF", "BMP", "DIB", "PPM")
"""Pillow's formats that are tried first; Pillow has loaded their decoders already."""

OTHERS = {
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
    "AVIF": "AvifImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
    "PCX": "PcxImagePlugin",
    "TGA": "TgaImagePlugin",  # last: its files have no signature
}
"""Pillow's other formats, each with the module that registers its decoder. What is in neither list is never
opened: Pillow would start another program for PostScript, and the rest are no formats of scans and photos."""

HEAD = 64
"""Bytes at the start of a file by which its format is recognized."""

# Files that users pass instead of an image: first bytes, what the file is, what to do about it.
_NOT_IMAGES = (
    (b"<!doctype html", "a web page", "download the image itself (on GitHub: the Raw button)"),
    (b"<html", "a web page", "download the image itself (on GitHub: the Raw button)"),
    (b"version https://git-lfs", "a Git LFS pointer", "run `git lfs pull` to fetch the image"),
    (b"%!ps", "a PostScript program", "export the page as PNG"),
    (b"<svg", "a vector drawing (SVG)", "export it as PNG"),
    (b"<?xml", "an XML file", "export it as PNG if it is a drawing"),
)
_HEVC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})


def open_with_pillow(file: BinaryIO) -> Image.Image:
    """Open an image of one of the listed formats; nothing but its header is decoded.

    Raises:
        UnidentifiedImageError: it is in none of them.
    """
    try:
        return Image.open(file, formats=COMMON)
    except UnidentifiedImageError:
        file.seek(0)
        for module in OTHERS.values():
            importlib.import_module(f"PIL.{module}")
        return Image.open(file, formats=tuple(OTHERS))


def is_heic(head: bytes) -> bool:
    """Return whether a file with these first bytes is a HEIF container of an HEVC image (HEIC).

    Its first box lists brands of four bytes: after the box's length and `ftyp`, the main brand, a version,
    then the compatible ones (ISO/IEC 14496-12, 4.3). An AVIF image has the same container and other brands.
    """
    if head[4:8] != b"ftyp":
        return False
    (length,) = struct.unpack(">I", head[:4])
    box = head[8 : min(length, len(head))]
    return bool(_HEVC_BRANDS & {box[start : start + 4] for start in range(0, len(box), 4)})


def is_pdf(head: bytes) -> bool:
    """Return whether a file with these first bytes is a PDF document."""
    return head.startswith(b"%PDF-")


def not_an_image(head: bytes, name: str) -> DataError:
    """Return the error for a file in no known format, by its first bytes."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for signature, kind, hint in _NOT_IMAGES:
        if start.startswith(signature):
            return DataError(f"{name}: is {kind}, not an image", hint=hint)
    return DataError(f"{name}: is not an image in a known format", hint="use PNG, JPEG or the like")
