"""Any picture file -> an open picture, and its luminance. All that is peculiar to file formats ends here."""

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

SUFFIXES = frozenset({".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm"}) | {
    *(".pcx", ".pgm", ".png", ".pnm", ".ppm", ".sgi", ".tga", ".tif", ".tiff", ".webp", ".xbm")
}
"""What counts as a picture in a folder; a file that is named itself is tried whatever its name."""

# The longer side of what leaves this module, at most: eight pixels for each of MNIST's. Averaging has removed
# camera noise then, a hairline (1 % of the digit's height) is still a pale line, and the rest is quick. With
# sides from 128 to 512 the same ones of 400 scenes and of 120 people's pictures were read.
MAX_SIDE = 224

# Luminance over which transparent ink counts as light, so that it lies on black: the middle of 0..255.
MIDDLE = 127.5

# What Pillow raises for a damaged EXIF block.
DAMAGED_EXIF = (SyntaxError, ValueError, TypeError, KeyError, OSError, struct.error)

# What people hand over instead of a picture: first bytes, what it is, how to mend it.
_NOT_PICTURES = (
    (b"<!doctype html", "a web page", "download the picture itself (on GitHub: the Raw button)"),
    (b"<html", "a web page", "download the picture itself (on GitHub: the Raw button)"),
    (b"version https://git-lfs", "a Git LFS pointer", "run `git lfs pull` to fetch the picture"),
    (b"%pdf", "a PDF document", "export the page as PNG"),
    (b"<svg", "a vector drawing (SVG)", "export it as PNG"),
    (b"<?xml", "an XML file", "export it as PNG if it is a drawing"),
)
_HEIC_BRANDS = (b"heic", b"heix", b"mif1", b"hevc")


@contextmanager
def opened(source: Path | bytes, *, name: str) -> Iterator[Image.Image]:
    """A picture to decode in the body of `with`; what is wrong with it, there too, becomes one clear error.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the picture in an error.

    Raises:
        DataError: there is no such file, or it holds no picture that can be decoded whole.
    """
    try:
        with (
            io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
            _decoding(file if file.seekable() else io.BytesIO(file.read()), name) as picture,
        ):
            yield picture
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file", hint="check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{name}: is a folder, not a picture", hint="name a picture in it") from error
    except PermissionError as error:
        raise DataError(f"{name}: may not be read", hint="check the file's permissions") from error
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror or error}") from error


@contextmanager
def _decoding(file: BinaryIO, name: str) -> Iterator[Image.Image]:
    head = file.read(64)
    file.seek(0)
    if not head:
        raise DataError(f"{name}: is empty (0 bytes)", hint="copy or download the picture again")
    try:
        with warnings.catch_warnings():  # Pillow warns of large or odd pictures that it then reads well
            warnings.simplefilter("ignore")
            with Image.open(file) as picture:
                yield picture
    except UnidentifiedImageError as error:
        raise _not_a_picture(head, name) from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: is too large: {_one_line(error)}", hint="make it smaller") from error
    except Exception as error:  # on broken bytes Pillow's decoders raise nearly everything there is
        raise DataError(
            f"{name}: is damaged or cut short ({_one_line(error)})", hint="copy or download the picture again"
        ) from error


@dataclass(frozen=True)
class View:
    """A picture as a person sees it: the right way up, on its ground, without colour."""

    grey: np.ndarray
    """Luminance, float32 [H, W], 0 = black, 255 = white."""
    size: tuple[int, int]
    """Width and height of the whole picture, the right way up, in its own pixels."""
    mode: str
    """How the file holds its pixels, in Pillow's words: L, RGB, RGBA, P, CMYK, I;16 ..."""
    orientation: int
    """That of the EXIF block, which is undone: 1 (upright) to 8. Of a TIFF 1: Pillow itself turns it."""
    ground: float | None
    """The tone that was laid below transparent pixels, 0..255; None where there are none."""


def read(source: Path | bytes, *, name: str) -> np.ndarray:
    """Read a picture as a person sees it: the luminance of its `view`."""
    return view(source, name=name).grey


def view(source: Path | bytes, *, name: str, side: int = MAX_SIDE) -> View:
    """Read a picture as a person sees it: the right way up, on its ground, without colour.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the picture in an error.
        side: of a larger picture the longer side is brought to at most so many pixels.

    Of an animation it is the first frame. 16- and 32-bit values are scaled to 0..255.

    Raises:
        DataError: there is no such file, or it holds no picture that can be decoded whole.
    """
    with opened(source, name=name) as picture:
        return _view(picture, side)


def _not_a_picture(head: bytes, name: str) -> DataError:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for signature, what, hint in _NOT_PICTURES:
        if start.startswith(signature):
            return DataError(f"{name}: is {what}, not a picture", hint=hint)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return DataError(f"{name}: is a HEIC picture, which Pillow cannot open", hint="export it as JPEG")
    return DataError(f"{name}: is not a picture in a known format", hint="use PNG, JPEG or the like")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _view(picture: Image.Image, side: int) -> View:
    mode, (width, height) = picture.mode, picture.size
    picture.draft("L", (side, side))  # a JPEG is decoded at 1/2, 1/4 or 1/8 where that is enough
    picture.load()  # first: of some formats it reads the EXIF block as well
    turn, turned = orientation(picture), upright(picture)
    size = (width, height) if turned.size == picture.size else (height, width)
    small = _without_colour(turned)
    small = small.reduce(-(-max(small.size) // side))
    grey, ground = np.asarray(small, dtype=np.float32), None
    if small.mode == "LA":
        grey, ground = _on_its_ground(grey[..., 0], grey[..., 1] / 255)
    return View(grey, size, mode, turn, ground)


def orientation(picture: Image.Image) -> int:
    """How the camera was held, as the EXIF block of a loaded picture says: 1 (upright) to 8."""
    try:
        turn = picture.getexif().get(ExifTags.Base.Orientation, 1)
    except DAMAGED_EXIF:
        return 1
    return turn if turn in range(1, 9) else 1


def upright(picture: Image.Image) -> Image.Image:
    """The picture turned as its EXIF block says that the camera was held."""
    try:
        return picture if orientation(picture) == 1 else ImageOps.exif_transpose(picture)
    except DAMAGED_EXIF:
        return picture  # the picture need not be


def _without_colour(picture: Image.Image) -> Image.Image:
    """The picture as L, as LA where some of it is transparent, or as F where it is finer than 8 bits."""
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(to_8_bit_range(np.asarray(picture, dtype=np.float32)))
    if picture.has_transparency_data:
        return picture.convert("RGBA").convert("LA")
    if picture.mode == "L":
        return picture  # Pillow's conversion would copy it
    return picture.getchannel("L") if picture.mode == "LAB" else picture.convert("L")


def to_8_bit_range(values: np.ndarray) -> np.ndarray:
    """Scale to 0..255 by the smallest usual white level that holds the values: 1.0, 8, 12 or 16 bits."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    values = values - min(0.0, float(values.min()))
    peak = float(values.max())
    white = next((level for level in (1.0, 255.0, 4095.0, 65535.0) if peak <= level), peak)
    return (values * (255 / white)).astype(np.float32)


def _on_its_ground(luminance: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Put a transparent picture on a ground that shows it; returns that ground too, if it has any.

    What is drawn on transparency covers little of it: the ground is then the opposite of the ink's tone,
    whatever colour the transparent pixels hold. Where most is opaque, the paper is in the picture (a
    screenshot with round corners), and the ground is the tone of that paper.
    """
    if alpha.min() == 1:
        return luminance, None
    if alpha.max() == 0:
        return np.full_like(luminance, 255), 255.0
    alpha = alpha / alpha.max()
    visible = luminance[alpha > 0.5]
    tone = float(np.median(visible))
    holds_paper = alpha.mean() > 0.5 and np.ptp(visible) > 32
    ground = tone if holds_paper else (255.0 if tone < MIDDLE else 0.0)
    blended: np.ndarray = luminance * alpha + np.float32(ground) * (1 - alpha)
    return blended, ground
