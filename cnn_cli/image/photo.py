"""Any image file -> its middle square, scaled to the network's input: how photographs are read."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from cnn_cli.image.decode import opened, to_8_bit_range, upright

# A JPEG may be decoded at 1/2, 1/4 or 1/8, twenty times as quick, as long as so many of its pixels, along a
# side, make one of ours: the mean difference to its whole decoding was 0.3 levels at most, with two it was 1.
SPARE = 4

WHITE = (255, 255, 255)
BLACK = (0, 0, 0)
GRAY = (224, 224, 224)

# Mean luminance from which a drawing on transparency would vanish on white, and so lies on black.
NEARLY_WHITE = 230


def read_whole(source: Path | bytes, *, name: str, size: int, channels: int) -> np.ndarray:
    """Read the middle square of an image as a person sees it: the right way up, on its ground.

    The square has the shorter side's length, and is scaled by an anti-aliased triangle filter: what
    torchvision's CenterCrop and Resize do.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the image in an error.
        size: height and width of the result, in pixels.
        channels: 1 for luminance (ITU-R 601), 3 for red, green and blue.

    Returns:
        uint8 [channels, size, size], 0 = black. Of an animation the first frame. 16- and 32-bit values are
        scaled from their usual white; what is transparent becomes white (black behind a white drawing).

    Raises:
        DataError: there is no such file, or it holds no image that can be decoded whole.
    """
    mode = "L" if channels == 1 else "RGB"
    with opened(source, name=name) as image:
        image.draft(mode, (SPARE * size, SPARE * size))
        image.load()
        square = _middle_square(upright(image))
        small = _opaque(square).convert(mode).resize((size, size), Image.Resampling.BILINEAR)
        pixels = np.asarray(small, dtype=np.uint8)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def thumbnail(source: Path | bytes, *, name: str, side: int) -> tuple[Image.Image, float, tuple[int, int]]:
    """The whole image as a person sees it, in a square; what the square has beyond it is gray.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the image in an error.
        side: pixels a side of the square.

    Returns:
        RGB; pixels of the square for each pixel of the image; and the column and row where it begins.

    Raises:
        DataError: as `read_whole`.
    """
    with opened(source, name=name) as image:
        stored = max(image.size)
        image.draft("RGB", (SPARE * side, SPARE * side))
        image.load()
        full = _opaque(upright(image)).convert("RGB")
        scale = side / max(full.size)
        size = max(1, round(full.width * scale)), max(1, round(full.height * scale))
        filtering = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR
        small = full.resize(size, filtering)
    square = Image.new("RGB", (side, side), GRAY)
    corner = (side - small.width) // 2, (side - small.height) // 2
    square.paste(small, corner)
    return square, side / stored, corner


def read_opaque(source: Path | bytes, *, name: str) -> Image.Image:
    """Read a whole image in its own size as RGB: the right way up, on its ground.

    Raises:
        DataError: there is no such file, or it holds no image that can be decoded whole.
    """
    with opened(source, name=name) as image:
        image.load()
        return _opaque(upright(image)).convert("RGB")


def _middle_square(image: Image.Image) -> Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return image.crop((left, top, left + side, top + side))


def _opaque(image: Image.Image) -> Image.Image:
    """The image in 8 bits and without transparency, in a mode that converts to gray and to color."""
    if image.mode.startswith(("I", "F")):
        values = to_8_bit_range(np.asarray(image, dtype=np.float32))
        return Image.fromarray(np.rint(values).astype(np.uint8))
    if image.mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, lab, rgb, outputMode="RGB") or image
    if image.has_transparency_data:
        return _on_its_ground(image.convert("RGBA"))
    return image


def _on_its_ground(image: Image.Image) -> Image.Image:
    """Lay an RGBA image on white; on black if what is visible is itself nearly white."""
    luminance = np.asarray(image.convert("L"), dtype=np.float32)
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32)
    vanishes = float((luminance * alpha).sum()) > NEARLY_WHITE * float(alpha.sum())
    ground = Image.new("RGBA", image.size, (*(BLACK if vanishes else WHITE), 255))
    return Image.alpha_composite(ground, image)
