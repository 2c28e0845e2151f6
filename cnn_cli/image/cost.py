"""What it costs to decode an image, known from its header: memory, and whether it is too much."""

from typing import Any

from PIL import Image

MAX_BYTES = 800_000_000
"""Upper limit of the memory that decoding one image takes; with the program itself it stays below 1 GB."""

MAX_PIXELS = 178_956_970
"""Upper limit of the pixels of an image, Pillow's own. The frames of an animation up to the one that is read
count together: each is decoded on the way."""

MAX_SLOW_BYTES = 1_500_000
"""Upper limit of a file in an encoding that Pillow decodes in Python: about 1.3 s for a million bytes."""

ANIMATIONS = frozenset({"GIF", "PNG", "WEBP"})
"""Pillow's names of the formats whose later frames are made from the earlier ones."""

SLOW_CODECS = frozenset({"ppm", "ppm_plain", "bmp_rle"})

# Bytes for each pixel besides the decoded image itself, measured with Pillow 13 on images of 36 megapixels:
# decoders that hold the whole image once more, as planes, canvases or coefficients.
_EXTRA = {"WEBP": 12.3, "AVIF": 9.5, "HEIF": 8.0}
_JPEG2000_BAND = 5.3
_EARLIER_FRAMES = 8.1
_COEFFICIENT = 2


def check_cost(image: Image.Image, size: tuple[int, int], page: int, file_size: int) -> int:
    """Return the bytes of memory that loading an opened image takes.

    Args:
        image: opened, not loaded; `draft` may have reduced it.
        size: its width and height before that.
        page: which frame of an animation it is, from 1.
        file_size: bytes of the file.

    Raises:
        Image.DecompressionBombError: it takes too much memory or time.
    """
    pixels = size[0] * size[1]
    if image.format in ANIMATIONS and page * pixels > MAX_PIXELS:
        raise Image.DecompressionBombError(
            f"{page} frames of {_text(size)} pixels, and {MAX_PIXELS:,} pixels together are the limit"
        )
    if file_size > MAX_SLOW_BYTES and _codec(image) in SLOW_CODECS:
        raise Image.DecompressionBombError(
            f"{file_size:,} bytes in an encoding of which {MAX_SLOW_BYTES:,} are the limit"
        )
    held = image.width * image.height * _bytes_per_pixel(image.mode)
    needed = round(held + _extra_bytes(image, pixels, page))
    if needed > MAX_BYTES:
        raise Image.DecompressionBombError(
            f"{_text(size)} pixels in this format take {needed / 1e6:,.0f} MB of memory, "
            f"and {MAX_BYTES / 1e6:,.0f} MB are the limit"
        )
    return needed


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _codec(image: Image.Image) -> str:
    """Return Pillow's name of the decoder; empty for an image that is decoded already, as a drawn page is."""
    tiles = getattr(image, "tile", ())
    return str(tiles[0][0]) if tiles else ""


def _bytes_per_pixel(mode: str) -> int:
    """Return the bytes in which Pillow holds a pixel of this mode."""
    if mode in ("1", "L", "P"):
        return 1
    return 2 if mode.startswith("I;16") else 4


def _extra_bytes(image: Image.Image, pixels: int, page: int) -> float:
    """Return the bytes that the decoder takes besides the image."""
    if image.format in ("JPEG", "MPO"):  # MPO: several JPEG images in one file, of which the first is read
        return pixels * _COEFFICIENT * _jpeg_samples(image) if _has_several_scans(image) else 0
    if image.format == "TIFF":
        return _tiff_buffer(image)
    if image.format == "JPEG2000":
        return pixels * _JPEG2000_BAND * len(image.getbands())
    if image.format in ("GIF", "PNG") and page > 1:
        return pixels * (_EARLIER_FRAMES + 4 - _bytes_per_pixel(image.mode))
    return pixels * _EXTRA.get(image.format or "", 0)


def _jpeg_samples(image: Any) -> float:
    """Return the samples of all layers for each pixel: 3 in color, 1.5 if the colors are subsampled."""
    factors = [(across, down) for _, across, down, _ in image.layer]
    widest, tallest = (max(values) for values in zip(*factors, strict=True))
    return float(sum(across * down for across, down in factors) / (widest * tallest))


def _has_several_scans(image: Any) -> bool:
    """Return whether libjpeg has to hold all coefficients: the first scan does not complete the image.

    Pillow leaves the file behind the header of the first scan: its length in two bytes, the number of its
    layers, two bytes for each, and three more (ITU-T T.81, B.2.3).
    """
    if image.info.get("progressive"):
        return True
    length = 6 + 2 * image.layers
    place = image.fp.tell()
    image.fp.seek(max(0, place - length))
    header = image.fp.read(3)
    image.fp.seek(place)
    return bool(header != bytes((0, length, image.layers)))


def _tiff_buffer(image: Any) -> float:
    """Return the bytes of a strip or tile, which libtiff decodes in one piece; 0 if it is not compressed."""
    tags = image.tag_v2
    upright = tags.get(274, 1) == 1  # Orientation: Pillow turns a copy
    copy = 0 if upright else image.width * image.height * _bytes_per_pixel(image.mode)
    if not image.use_load_libtiff:
        return copy
    width, height = tags.get(256, image.width), tags.get(257, image.height)
    if 322 in tags:  # TileWidth
        width, height = tags[322], tags.get(323, height)
    else:
        height = min(height, tags.get(278, height))  # RowsPerStrip
    bits = tags.get(258, (1,))
    samples = tags.get(277, len(bits))
    stored = samples * max(bits) / 8
    if "jpeg" in image.info["compression"]:  # libjpeg may hold coefficients, and colors get four bytes
        stored += 4 + _COEFFICIENT * samples
    return float(copy + width * height * stored)
