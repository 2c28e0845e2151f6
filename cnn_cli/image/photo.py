"""Any image file -> its middle square, scaled to the network's input: the preprocessing of photos."""

import io

import numpy as np
from PIL import Image, ImageCms

from cnn_cli.image.bits import has_more_than_8_bits, scaling_to_8_bits
from cnn_cli.image.blocks import BLOCK, Convert, reduced
from cnn_cli.image.decode import exif_orientation, turned
from cnn_cli.image.opening import open_image
from cnn_cli.image.pages import ImageFile

# Pillow may decode a JPEG at 1/2, 1/4 or 1/8 of its size, up to twenty times as fast, as long as this many of
# its pixels per side make one of the result; a large image of any format is reduced likewise. At 4 the mean
# difference to decoding in full is at most 0.3 gray levels, at 2 it is 1.
DRAFT_FACTOR = 4

WHITE = (255, 255, 255)
BLACK = (0, 0, 0)
GRAY = (224, 224, 224)

MAX_SIDE = 4000
"""Upper limit of the longer side of an image to be drawn on, in pixels: it takes 64 MB in RGB."""

# From this mean luminance on, a drawing on transparency would vanish on white, and is put on black.
NEARLY_WHITE = 230


def read_photo(source: ImageFile, *, name: str, size: int, channels: int) -> np.ndarray:
    """Read the middle square of an image, upright and without transparency.

    The square has the shorter side's length, and is scaled with an anti-aliased triangle filter, as
    torchvision's CenterCrop and Resize do.

    Args:
        source: a file's path or content in one of the listed formats, or a page of it.
        name: what to call the image in an error.
        size: height and width of the result, in pixels.
        channels: 1 for luminance (ITU-R 601), 3 for red, green and blue.

    Returns:
        uint8 [channels, size, size], 0 = black. 16- and 32-bit values are scaled to 0..255. Transparent
        pixels become white (black behind a white drawing).

    Raises:
        DataError: there is no such file or page, or it is not a complete image, or too large a one.
    """
    mode = "L" if channels == 1 else "RGB"
    side = DRAFT_FACTOR * size
    with open_image(source, name=name, mode=mode, side=side) as opened:
        square = _middle_square(_upright(opened.pixels, min(opened.pixels.size) // side))
    small = _to_opaque(square).convert(mode).resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(small, dtype=np.uint8)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def thumbnail(source: ImageFile, *, name: str, side: int) -> tuple[Image.Image, float, tuple[int, int]]:
    """Fit the whole image, upright and without transparency, into a square; the rest of the square is gray.

    Args:
        source: a file's path or content in one of the listed formats, or a page of it.
        name: what to call the image in an error.
        side: side of the square, in pixels.

    Returns:
        The square in RGB; pixels of the square for each pixel of the image; column and row of the image's
        upper left corner in the square.

    Raises:
        DataError: as `read_photo`.
    """
    draft = DRAFT_FACTOR * side
    with open_image(source, name=name, mode="RGB", side=draft) as opened:
        small = _upright(opened.pixels, max(opened.pixels.size) // draft)
    rgb = _to_opaque(small).convert("RGB")
    scale = side / max(rgb.size)
    size = max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale))
    rgb = rgb.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR)
    square = Image.new("RGB", (side, side), GRAY)
    corner = (side - rgb.width) // 2, (side - rgb.height) // 2
    square.paste(rgb, corner)
    return square, side / max(opened.size), corner


def read_rgb(source: ImageFile, *, name: str) -> tuple[Image.Image, float]:
    """Read a whole image as RGB, upright and without transparency.

    Returns:
        The image, and how many of its pixels there are for each pixel of the original: 1, or less for an
        image whose longer side has more than `MAX_SIDE` pixels.

    Raises:
        DataError: as `read_photo`.
    """
    with open_image(source, name=name, mode="RGB", side=MAX_SIDE) as opened:
        small = _upright(opened.pixels, -(-max(opened.pixels.size) // MAX_SIDE))
    return _to_opaque(small).convert("RGB"), max(small.size) / max(opened.size)


def png_of(source: ImageFile, *, name: str) -> bytes:
    """Return an image as a PNG of 8 bits a channel: upright, in its full size, with its transparency.

    Raises:
        DataError: as `read_photo`.
    """
    with open_image(source, name=name, mode="RGB") as opened:
        image = _upright(opened.pixels, 1)
    if image.mode not in ("L", "RGB", "RGBA"):
        image = _to_opaque(image)
        image = image if image.mode == "L" else image.convert("RGB")
    content = io.BytesIO()
    image.save(content, format="PNG")
    return content.getvalue()


def _upright(image: Image.Image, factor: int) -> Image.Image:
    """Return an image turned upright, and reduced by a factor if it is large, in a mode without a palette."""
    small = reduced(image, max(1, factor) if image.width * image.height > BLOCK else 1, _conversion(image))
    return turned(small, exif_orientation(image))


def _conversion(image: Image.Image) -> Convert:
    """Return the conversion to values that can be averaged: F from more than 8 bits, else colors or L."""
    if has_more_than_8_bits(image):
        return scaling_to_8_bits(image)
    mode = "RGBA" if image.has_transparency_data else {"1": "L", "P": "RGB"}.get(image.mode, image.mode)
    return lambda part: part.convert(mode)


def _middle_square(image: Image.Image) -> Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return image.crop((left, top, left + side, top + side))


def _to_opaque(image: Image.Image) -> Image.Image:
    """Convert to 8 bits without transparency, in a mode that Pillow converts to gray and to RGB."""
    if image.mode == "F":
        return Image.fromarray(np.rint(np.asarray(image)).astype(np.uint8))
    if image.mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB") or image
    return _without_transparency(image) if image.mode == "RGBA" else image


def _without_transparency(image: Image.Image) -> Image.Image:
    """Put an RGBA image on white, or on black if its visible part is nearly white."""
    luminance = np.asarray(image.convert("L"), dtype=np.float32)
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32)
    is_nearly_white = float((luminance * alpha).sum()) > NEARLY_WHITE * float(alpha.sum())
    background = Image.new("RGBA", image.size, (*(BLACK if is_nearly_white else WHITE), 255))
    return Image.alpha_composite(background, image)
