"""Decode an image file of any format into luminance. Everything that depends on the file format is here."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from cnn_cli.errors import DataError
from cnn_cli.text import one_line

SUFFIXES = frozenset({".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm"}) | {
    *(".pcx", ".pgm", ".png", ".pnm", ".ppm", ".sgi", ".tga", ".tif", ".tiff", ".webp", ".xbm")
}
"""File names that count as images in a folder. A file that is named itself is tried whatever its suffix."""

# Upper limit of the longer side of a decoded image: eight pixels for each of MNIST's. At this size averaging
# has removed the camera's noise, a hairline (1 % of the digit's height) is still visible, and the next steps
# are fast. Sides from 128 to 512 gave the same answers for 400 scenes and 120 images that people made.
MAX_SIDE = 224

# Transparent ink with a luminance above this counts as light, and is put on black: the middle of 0..255.
MID_GRAY = 127.5

# What Pillow raises for a damaged EXIF block.
EXIF_ERRORS = (SyntaxError, ValueError, TypeError, KeyError, OSError, struct.error)

# Files that users pass instead of an image: first bytes, what the file is, what to do about it.
_NOT_IMAGES = (
    (b"<!doctype html", "a web page", "download the image itself (on GitHub: the Raw button)"),
    (b"<html", "a web page", "download the image itself (on GitHub: the Raw button)"),
    (b"version https://git-lfs", "a Git LFS pointer", "run `git lfs pull` to fetch the image"),
    (b"%pdf", "a PDF document", "export the page as PNG"),
    (b"<svg", "a vector drawing (SVG)", "export it as PNG"),
    (b"<?xml", "an XML file", "export it as PNG if it is a drawing"),
)
_HEIC_BRANDS = (b"heic", b"heix", b"mif1", b"hevc")


@dataclass(frozen=True)
class DecodedImage:
    """The luminance of an image: upright, without transparency, without color."""

    gray: np.ndarray
    """Luminance, float32 [H, W], 0 = black, 255 = white."""
    size: tuple[int, int]
    """Width and height of the original in its own pixels, upright."""
    mode: str
    """Pillow's name of the file's pixel format: L, RGB, RGBA, P, CMYK, I;16 ..."""
    orientation: int
    """The EXIF orientation, which was undone: 1 (upright) to 8. Always 1 for TIFF, which Pillow turns."""
    background: float | None
    """The tone that was put behind transparent pixels, 0..255; None for an opaque image."""


def decode(source: Path | bytes, *, name: str, max_side: int = MAX_SIDE) -> DecodedImage:
    """Decode an image file into luminance.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the image in an error.
        max_side: a larger image is reduced until its longer side has at most this many pixels.

    Returns:
        The luminance. Of an animation it is the first frame. 16- and 32-bit values are scaled to 0..255.

    Raises:
        DataError: there is no such file, or it is not a complete image.
    """
    with open_image(source, name=name) as image:
        mode, (width, height) = image.mode, image.size
        image.draft("L", (max_side, max_side))  # Pillow decodes a JPEG at 1/2, 1/4 or 1/8 if that is enough
        image.load()  # before the EXIF block is read: for some formats, loading reads it
        orientation, upright = exif_orientation(image), to_upright(image)
        size = (width, height) if upright.size == image.size else (height, width)
        small = _to_gray(upright)
        small = small.reduce(-(-max(small.size) // max_side))
        gray, background = np.asarray(small, dtype=np.float32), None
        if small.mode == "LA":
            gray, background = _without_transparency(gray[..., 0], gray[..., 1] / 255)
        return DecodedImage(gray, size, mode, orientation, background)


@contextmanager
def open_image(source: Path | bytes, *, name: str) -> Iterator[Image.Image]:
    """Open an image, to be decoded in the body of `with`. Every error there becomes one DataError.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the image in an error.

    Raises:
        DataError: there is no such file, or it is not a complete image.
    """
    try:
        with (
            io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
            _opened(file if file.seekable() else io.BytesIO(file.read()), name) as image,
        ):
            yield image
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file", hint="check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{name}: is a folder, not an image", hint="name an image in it") from error
    except PermissionError as error:
        raise DataError(f"{name}: may not be read", hint="check the file's permissions") from error
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error


@contextmanager
def _opened(file: BinaryIO, name: str) -> Iterator[Image.Image]:
    head = file.read(64)
    file.seek(0)
    if not head:
        raise DataError(f"{name}: is empty (0 bytes)", hint="copy or download the image again")
    try:
        with warnings.catch_warnings():  # Pillow warns about large or unusual images that it decodes well
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
                yield image
    except UnidentifiedImageError as error:
        raise _not_an_image(head, name) from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: is too large: {one_line(error)}", hint="make it smaller") from error
    except Exception as error:  # Pillow's decoders raise almost any exception for broken bytes
        raise DataError(
            f"{name}: is damaged or cut short ({one_line(error)})", hint="copy or download the image again"
        ) from error


def _not_an_image(head: bytes, name: str) -> DataError:
    """Return the error for a file that Pillow cannot identify, by its first bytes."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for signature, kind, hint in _NOT_IMAGES:
        if start.startswith(signature):
            return DataError(f"{name}: is {kind}, not an image", hint=hint)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return DataError(f"{name}: is a HEIC image, which Pillow cannot open", hint="export it as JPEG")
    return DataError(f"{name}: is not an image in a known format", hint="use PNG, JPEG or the like")


def exif_orientation(image: Image.Image) -> int:
    """Return the orientation in the EXIF block of a loaded image: 1 (upright) to 8."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except EXIF_ERRORS:
        return 1
    return orientation if orientation in range(1, 9) else 1


def to_upright(image: Image.Image) -> Image.Image:
    """Undo the EXIF orientation of a loaded image."""
    try:
        return image if exif_orientation(image) == 1 else ImageOps.exif_transpose(image)
    except EXIF_ERRORS:
        return image  # the pixels may be fine although the EXIF block is damaged


def _to_gray(image: Image.Image) -> Image.Image:
    """Convert to mode L, to LA if some pixels are transparent, or to F if values have more than 8 bits."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(to_8_bit_range(np.asarray(image, dtype=np.float32)))
    if image.has_transparency_data:
        return image.convert("RGBA").convert("LA")
    if image.mode == "L":
        return image  # Pillow's conversion would copy it
    return image.getchannel("L") if image.mode == "LAB" else image.convert("L")


def to_8_bit_range(values: np.ndarray) -> np.ndarray:
    """Scale to 0..255 by the smallest of the white values 1.0, 8, 12 and 16 bits that no pixel exceeds."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    values = values - min(0.0, float(values.min()))
    peak = float(values.max())
    white = next((white for white in (1.0, 255.0, 4095.0, 65535.0) if peak <= white), peak)
    return (values * (255 / white)).astype(np.float32)


def _without_transparency(luminance: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Put a transparent image on a background that shows it; also return that background's tone, if any.

    Ink on transparency covers a small part of the image: its background becomes the opposite of its tone,
    whatever color the transparent pixels store. If most of the image is opaque, it contains its own
    background (a screenshot with round corners), and the transparent pixels get that background's tone.
    """
    if alpha.min() == 1:
        return luminance, None
    if alpha.max() == 0:
        return np.full_like(luminance, 255), 255.0
    alpha = alpha / alpha.max()
    visible = luminance[alpha > 0.5]
    tone = float(np.median(visible))
    has_background = alpha.mean() > 0.5 and np.ptp(visible) > 32
    background = tone if has_background else (255.0 if tone < MID_GRAY else 0.0)
    blended: np.ndarray = luminance * alpha + np.float32(background) * (1 - alpha)
    return blended, background
