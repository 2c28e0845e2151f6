"""Decode an image file of any of the listed formats into luminance."""

import struct
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from cnn_cli.image.bits import has_more_than_8_bits, scaling_to_8_bits
from cnn_cli.image.blocks import Convert, reduced
from cnn_cli.image.opening import open_image
from cnn_cli.image.pages import ImageFile

# Upper limit of the longer side of a decoded image: eight pixels for each of MNIST's. At this size averaging
# has removed the camera's noise, a hairline (1 % of the digit's height) is still visible, and the next steps
# are fast. Sides from 128 to 512 gave the same answers for 400 scenes and 120 images that people made.
MAX_SIDE = 224

# Transparent ink with a luminance above this counts as light, and is put on black: the middle of 0..255.
MID_GRAY = 127.5

# What Pillow raises for a damaged EXIF block.
EXIF_ERRORS = (SyntaxError, ValueError, TypeError, KeyError, OSError, struct.error)

# What makes an image upright that is stored in an EXIF orientation, and the orientations of which the width
# becomes the height.
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)


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


def decode(source: ImageFile, *, name: str, max_side: int = MAX_SIDE) -> DecodedImage:
    """Decode an image file into luminance.

    Args:
        source: a file's path or content in one of the listed formats, or a page of it.
        name: what to call the image in an error.
        max_side: a larger image is reduced until its longer side has at most this many pixels.

    Returns:
        The luminance. 16- and 32-bit values are scaled to 0..255.

    Raises:
        DataError: there is no such file or page, or it is not a complete image, or too large a one.
    """
    with open_image(source, name=name, side=max_side) as opened:
        image = opened.pixels
        small = reduced(image, -(-max(image.size) // max_side), _conversion_to_gray(image))
        orientation, size = exif_orientation(image), opened.size
        if orientation in SIDEWAYS:
            size = size[::-1]
        small = turned(small, orientation)
        gray, background = np.asarray(small, dtype=np.float32), None
        if small.mode == "LA":
            gray, background = _without_transparency(gray[..., 0], gray[..., 1] / 255)
        return DecodedImage(gray, size, opened.mode, orientation, background)


def exif_orientation(image: Image.Image) -> int:
    """Return the orientation in the EXIF block of a loaded image: 1 (upright) to 8."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except EXIF_ERRORS:
        return 1
    return orientation if orientation in range(1, 9) else 1


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Undo an EXIF orientation."""
    method = TRANSPOSITIONS.get(orientation)
    return image if method is None else image.transpose(method)


def _conversion_to_gray(image: Image.Image) -> Convert:
    """Return the conversion to mode L, to LA of what may be transparent, to F from more than 8 bits."""
    return scaling_to_8_bits(image) if has_more_than_8_bits(image) else _to_gray


def _to_gray(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        return image.convert("RGBA").convert("LA")
    if image.mode == "L":
        return image  # Pillow's conversion would copy it
    return image.getchannel("L") if image.mode == "LAB" else image.convert("L")


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
