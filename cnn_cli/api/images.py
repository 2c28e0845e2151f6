"""Images as a program has them (path, bytes, Pillow, array) -> the source that is read."""

import io
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from cnn_cli.errors import DataError
from cnn_cli.reading.sources import ImageSource
from cnn_cli.text import one_line

if TYPE_CHECKING:
    from typing_extensions import TypeIs  # pydantic's; typing has it from Python 3.13 on

ImageLike: TypeAlias = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
"""One image: a file, the content of a file, an image of Pillow, or an array of pixels.

An array is uint8 with values 0..255, or float with values 0..1, where 0 is black. Its shape is [H, W], or
[H, W, 3] for red, green and blue.
"""

KINDS = "give a path, bytes, an image of Pillow, or a NumPy array"
ARRAYS = "give uint8 (0..255) or float (0..1) of shape [H, W] or [H, W, 3]; several images as a list"


def is_single(images: ImageLike | Iterable[ImageLike]) -> "TypeIs[ImageLike]":
    """Return whether this is one image; anything else that is iterable is several.

    Raises:
        DataError: it is neither.
    """
    if isinstance(images, str | os.PathLike | bytes | Image.Image | np.ndarray):
        return True
    if isinstance(images, Iterable) and not isinstance(images, io.IOBase):  # a file is iterable by its lines
        return False
    raise DataError(f"{type(images).__name__} is not an image", hint=KINDS)


def image_source(image: ImageLike, name: str) -> ImageSource:
    """Return an image for reading.

    Args:
        image: the image.
        name: what to call it in an answer and in an error, if it is no file.

    Raises:
        DataError: it is none of the kinds of `ImageLike`, or an array of another shape, type or range.
    """
    match image:
        case str() | os.PathLike():
            return ImageSource(str(image), Path(image))
        case bytes():
            return ImageSource(name, image)
        case Image.Image():
            return ImageSource(name, _content(image, name))
        case np.ndarray():
            return ImageSource(name, _content(Image.fromarray(_to_uint8(image, name)), name))
    raise DataError(f"{name}: {type(image).__name__} is not an image", hint=KINDS)


def _content(image: Image.Image, name: str) -> bytes:
    """Return the image as an uncompressed file; TIFF keeps 16 bits, floats and CMYK.

    Raises:
        DataError: Pillow opened a file that is damaged, or that was closed before it was decoded.
    """
    content = io.BytesIO()
    try:
        image.load()
        with suppress(Exception):  # the pixels may be fine although the EXIF block is damaged
            image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:  # of a palette, TIFF would not keep it
            image = image.convert("RGBA")
        (image.convert("RGB") if image.mode == "HSV" else image).save(content, "TIFF")
    except Exception as error:  # Pillow's decoders raise almost any exception for broken bytes
        raise DataError(
            f"{name}: cannot be decoded: {one_line(error)}", hint="open the image again"
        ) from error
    return content.getvalue()


def _to_uint8(pixels: np.ndarray, name: str) -> np.ndarray:
    """Check an array, and return it as uint8."""
    is_color = pixels.ndim == 3 and pixels.shape[2] == 3
    if not pixels.size or not (pixels.ndim == 2 or is_color):
        raise DataError(f"{name}: an array of shape {list(pixels.shape)} is not an image", hint=ARRAYS)
    if pixels.dtype == np.uint8:
        return pixels
    if not np.issubdtype(pixels.dtype, np.floating):
        raise DataError(f"{name}: an array of {pixels.dtype} is not an image", hint=ARRAYS)
    low, high = float(pixels.min()), float(pixels.max())
    if not 0 <= low <= high <= 1:  # also for NaN
        raise DataError(f"{name}: float values from {low:g} to {high:g} are not in 0..1", hint=ARRAYS)
    scaled: np.ndarray = np.rint(pixels * 255).astype(np.uint8)
    return scaled
