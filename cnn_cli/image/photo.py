"""Any image file -> its middle square, scaled to the network's input: the preprocessing of photos."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from cnn_cli.image.decode import open_image, to_8_bit_range, to_upright

# Pillow may decode a JPEG at 1/2, 1/4 or 1/8 of its size, up to twenty times as fast, as long as this many of
# its pixels per side make one of the result. At 4 the mean difference to decoding in full is at most 0.3 gray
# levels, at 2 it is 1.
DRAFT_FACTOR = 4

WHITE = (255, 255, 255)
BLACK = (0, 0, 0)
GRAY = (224, 224, 224)

# From this mean luminance on, a drawing on transparency would vanish on white, and is put on black.
NEARLY_WHITE = 230


def read_photo(source: Path | bytes, *, name: str, size: int, channels: int) -> np.ndarray:
    """Read the middle square of an image, upright and without transparency.

    The square has the shorter side's length, and is scaled with an anti-aliased triangle filter, as
    torchvision's CenterCrop and Resize do.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the image in an error.
        size: height and width of the result, in pixels.
        channels: 1 for luminance (ITU-R 601), 3 for red, green and blue.

    Returns:
        uint8 [channels, size, size], 0 = black. Of an animation it is the first frame. 16- and 32-bit values
        are scaled to 0..255. Transparent pixels become white (black behind a white drawing).

    Raises:
        DataError: there is no such file, or it is not a complete image.
    """
    mode = "L" if channels == 1 else "RGB"
    with open_image(source, name=name) as image:
        image.draft(mode, (DRAFT_FACTOR * size, DRAFT_FACTOR * size))
        image.load()
        square = _middle_square(to_upright(image))
        small = _to_opaque(square).convert(mode).resize((size, size), Image.Resampling.BILINEAR)
        pixels = np.asarray(small, dtype=np.uint8)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def thumbnail(source: Path | bytes, *, name: str, side: int) -> tuple[Image.Image, float, tuple[int, int]]:
    """Fit the whole image, upright and without transparency, into a square; the rest of the square is gray.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the image in an error.
        side: side of the square, in pixels.

    Returns:
        The square in RGB; pixels of the square for each pixel of the image; column and row of the image's
        upper left corner in the square.

    Raises:
        DataError: as `read_photo`.
    """
    with open_image(source, name=name) as image:
        original_side = max(image.size)
        image.draft("RGB", (DRAFT_FACTOR * side, DRAFT_FACTOR * side))
        image.load()
        rgb = _to_opaque(to_upright(image)).convert("RGB")
        scale = side / max(rgb.size)
        size = max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale))
        resampling = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
        small = rgb.resize(size, resampling)
    square = Image.new("RGB", (side, side), GRAY)
    corner = (side - small.width) // 2, (side - small.height) // 2
    square.paste(small, corner)
    return square, side / original_side, corner


def read_rgb(source: Path | bytes, *, name: str) -> Image.Image:
    """Read a whole image in its own size as RGB, upright and without transparency.

    Raises:
        DataError: there is no such file, or it is not a complete image.
    """
    with open_image(source, name=name) as image:
        image.load()
        return _to_opaque(to_upright(image)).convert("RGB")


def _middle_square(image: Image.Image) -> Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return image.crop((left, top, left + side, top + side))


def _to_opaque(image: Image.Image) -> Image.Image:
    """Convert to 8 bits without transparency, in a mode that Pillow converts to gray and to RGB."""
    if image.mode.startswith(("I", "F")):
        values = to_8_bit_range(np.asarray(image, dtype=np.float32))
        return Image.fromarray(np.rint(values).astype(np.uint8))
    if image.mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB") or image
    if image.has_transparency_data:
        return _without_transparency(image.convert("RGBA"))
    return image


def _without_transparency(image: Image.Image) -> Image.Image:
    """Put an RGBA image on white, or on black if its visible part is nearly white."""
    luminance = np.asarray(image.convert("L"), dtype=np.float32)
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32)
    is_nearly_white = float((luminance * alpha).sum()) > NEARLY_WHITE * float(alpha.sum())
    background = Image.new("RGBA", image.size, (*(BLACK if is_nearly_white else WHITE), 255))
    return Image.alpha_composite(background, image)
