"""Any image file -> an open image, and its luminance. All that is peculiar to file formats ends here."""

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
"""What counts as an image in a folder; a file that is named itself is tried whatever its name."""

# The longer side of what leaves this module, at most: eight pixels for each of MNIST's. Averaging has removed
# camera noise then, a hairline (1 % of the digit's height) is still a pale line, and the rest is quick. With
# sides from 128 to 512 the same ones of 400 scenes and of 120 people's images were read.
MAX_SIDE = 224

# Luminance over which transparent ink counts as light, so that it lies on black: the middle of 0..255.
MIDDLE = 127.5

# What Pillow raises for a damaged EXIF block.
DAMAGED_EXIF = (SyntaxError, ValueError, TypeError, KeyError, OSError, struct.error)

# What people hand over instead of an image: first bytes, what it is, how to mend it.
_NOT_IMAGES = (
    (b"<!doctype html", "a web page", "download the image itself (on GitHub: the Raw button)"),
    (b"<html", "a web page", "download the image itself (on GitHub: the Raw button)"),
    (b"version https://git-lfs", "a Git LFS pointer", "run `git lfs pull` to fetch the image"),
    (b"%pdf", "a PDF document", "export the page as PNG"),
    (b"<svg", "a vector drawing (SVG)", "export it as PNG"),
    (b"<?xml", "an XML file", "export it as PNG if it is a drawing"),
)
_HEIC_BRANDS = (b"heic", b"heix", b"mif1", b"hevc")


@contextmanager
def opened(source: Path | bytes, *, name: str) -> Iterator[Image.Image]:
    """An image to decode in the body of `with`; what is wrong with it, there too, becomes one clear error.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the image in an error.

    Raises:
        DataError: there is no such file, or it holds no image that can be decoded whole.
    """
    try:
        with (
            io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file,
            _decoding(file if file.seekable() else io.BytesIO(file.read()), name) as image,
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
def _decoding(file: BinaryIO, name: str) -> Iterator[Image.Image]:
    head = file.read(64)
    file.seek(0)
    if not head:
        raise DataError(f"{name}: is empty (0 bytes)", hint="copy or download the image again")
    try:
        with warnings.catch_warnings():  # Pillow warns of large or odd images that it then reads well
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
                yield image
    except UnidentifiedImageError as error:
        raise _not_a_image(head, name) from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: is too large: {_one_line(error)}", hint="make it smaller") from error
    except Exception as error:  # on broken bytes Pillow's decoders raise nearly everything there is
        raise DataError(
            f"{name}: is damaged or cut short ({_one_line(error)})", hint="copy or download the image again"
        ) from error


@dataclass(frozen=True)
class View:
    """An image as a person sees it: the right way up, on its ground, without color."""

    gray: np.ndarray
    """Luminance, float32 [H, W], 0 = black, 255 = white."""
    size: tuple[int, int]
    """Width and height of the whole image, the right way up, in its own pixels."""
    mode: str
    """How the file holds its pixels, in Pillow's words: L, RGB, RGBA, P, CMYK, I;16 ..."""
    orientation: int
    """That of the EXIF block, which is undone: 1 (upright) to 8. Of a TIFF 1: Pillow itself turns it."""
    ground: float | None
    """The tone that was laid below transparent pixels, 0..255; None where there are none."""


def read(source: Path | bytes, *, name: str) -> np.ndarray:
    """Read an image as a person sees it: the luminance of its `view`."""
    return view(source, name=name).gray


def view(source: Path | bytes, *, name: str, side: int = MAX_SIDE) -> View:
    """Read an image as a person sees it: the right way up, on its ground, without color.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the image in an error.
        side: of a larger image the longer side is brought to at most so many pixels.

    Of an animation it is the first frame. 16- and 32-bit values are scaled to 0..255.

    Raises:
        DataError: there is no such file, or it holds no image that can be decoded whole.
    """
    with opened(source, name=name) as image:
        return _view(image, side)


def _not_a_image(head: bytes, name: str) -> DataError:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for signature, what, hint in _NOT_IMAGES:
        if start.startswith(signature):
            return DataError(f"{name}: is {what}, not an image", hint=hint)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return DataError(f"{name}: is a HEIC image, which Pillow cannot open", hint="export it as JPEG")
    return DataError(f"{name}: is not an image in a known format", hint="use PNG, JPEG or the like")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _view(image: Image.Image, side: int) -> View:
    mode, (width, height) = image.mode, image.size
    image.draft("L", (side, side))  # a JPEG is decoded at 1/2, 1/4 or 1/8 where that is enough
    image.load()  # first: of some formats it reads the EXIF block as well
    turn, turned = orientation(image), upright(image)
    size = (width, height) if turned.size == image.size else (height, width)
    small = _without_color(turned)
    small = small.reduce(-(-max(small.size) // side))
    gray, ground = np.asarray(small, dtype=np.float32), None
    if small.mode == "LA":
        gray, ground = _on_its_ground(gray[..., 0], gray[..., 1] / 255)
    return View(gray, size, mode, turn, ground)


def orientation(image: Image.Image) -> int:
    """How the camera was held, as the EXIF block of a loaded image says: 1 (upright) to 8."""
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DAMAGED_EXIF:
        return 1
    return turn if turn in range(1, 9) else 1


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF block says that the camera was held."""
    try:
        return image if orientation(image) == 1 else ImageOps.exif_transpose(image)
    except DAMAGED_EXIF:
        return image  # the image need not be


def _without_color(image: Image.Image) -> Image.Image:
    """The image as L, as LA where some of it is transparent, or as F where it is finer than 8 bits."""
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(to_8_bit_range(np.asarray(image, dtype=np.float32)))
    if image.has_transparency_data:
        return image.convert("RGBA").convert("LA")
    if image.mode == "L":
        return image  # Pillow's conversion would copy it
    return image.getchannel("L") if image.mode == "LAB" else image.convert("L")


def to_8_bit_range(values: np.ndarray) -> np.ndarray:
    """Scale to 0..255 by the smallest usual white level that holds the values: 1.0, 8, 12 or 16 bits."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    values = values - min(0.0, float(values.min()))
    peak = float(values.max())
    white = next((level for level in (1.0, 255.0, 4095.0, 65535.0) if peak <= level), peak)
    return (values * (255 / white)).astype(np.float32)


def _on_its_ground(luminance: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Put a transparent image on a ground that shows it; returns that ground too, if it has any.

    What is drawn on transparency covers little of it: the ground is then the opposite of the ink's tone,
    whatever color the transparent pixels hold. Where most is opaque, the background is in the image (a
    screenshot with round corners), and the ground is the tone of that background.
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
