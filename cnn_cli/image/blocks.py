"""Reduce a decoded image block by block, so that a large one is never held in memory twice."""

from collections.abc import Callable, Iterator

from PIL import Image

BLOCK = 2**20
"""Pixels that are converted at once; a smaller image is one block."""

ROWS = 2**10
"""Rows of a block of a large image that is reduced by less than that."""

Convert = Callable[[Image.Image], Image.Image]


def reduced(image: Image.Image, factor: int, convert: Convert) -> Image.Image:
    """Convert an image, and average squares of its pixels.

    Args:
        image: loaded.
        factor: pixels per side of a square; at the right and at the bottom they may be cut off.
        convert: the conversion of a part of the image to a mode whose values can be averaged.

    Returns:
        The same pixels as `convert(image).reduce(factor)`.
    """
    width, height = image.size
    if width * height <= BLOCK:
        return convert(image).reduce(factor)
    result = None
    for box in blocks(image.size, factor):
        part = convert(image.crop(box)).reduce(factor)
        if result is None:
            result = Image.new(part.mode, (-(-width // factor), -(-height // factor)))
        result.paste(part, (box[0] // factor, box[1] // factor))
    assert result is not None
    return result


def blocks(size: tuple[int, int], factor: int = 1) -> Iterator[tuple[int, int, int, int]]:
    """Yield boxes that cover an image; each begins at multiples of `factor`."""
    width, height = size
    down = factor * max(1, ROWS // factor)
    across = factor * max(1, BLOCK // min(down, height) // factor)
    for top in range(0, height, down):
        for left in range(0, width, across):
            yield left, top, min(left + across, width), min(top + down, height)
