"""A contact sheet: many small images in a grid, each with a caption."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

RED: Color = (214, 39, 40)
"""The color of emphasis."""

COLUMNS = 10
"""Default number of images in a row."""

MIN_SIDE = 84  # pixels per side: a 28x28 digit enlarged three times is legible without zooming
FONT_SIZE = 14
GAP = 6  # pixels around a cell
FRAME = 3  # pixels of an emphasized image's frame; less than GAP
BACKGROUND: Color = (255, 255, 255)
TEXT: Color = (32, 32, 32)


def contact_sheet(
    images: NDArray[np.uint8],
    captions: Sequence[str],
    columns: int,
    emphasis: Sequence[Color | None] | None = None,
) -> Image.Image:
    """Draw images in rows, in reading order, each above its caption.

    Args:
        images: uint8 [N, C, H, W] with 1 or 3 channels, 0 is black and 255 white. Small images are enlarged
            by a whole factor, so that a pixel stays a square.
        captions: N texts, of one or more lines.
        columns: how many images are in a row, at least 1.
        emphasis: N colors; an image with one gets a frame, and its caption the same color.

    Raises:
        ValueError: the arguments do not fit together.
    """
    _check(images, captions, columns, emphasis)
    cells = [_enlarged(image) for image in images.transpose(0, 2, 3, 1)]  # each uint8 [H, W, C]
    font = ImageFont.load_default(FONT_SIZE)
    text_width, text_height = _largest_text(captions, font)
    width = max(cells[0].width, text_width) + 2 * GAP
    height = cells[0].height + text_height + 3 * GAP
    columns = min(columns, len(cells))
    sheet = Image.new("RGB", (columns * width, math.ceil(len(cells) / columns) * height), BACKGROUND)
    colors = emphasis or [None] * len(cells)
    for i, (cell, caption, color) in enumerate(zip(cells, captions, colors, strict=True)):
        center = (i % columns) * width + width // 2
        _draw_cell(sheet, cell, caption, color, font, center, (i // columns) * height + GAP)
    return sheet


def _check(
    images: NDArray[np.uint8], captions: Sequence[str], columns: int, emphasis: Sequence[Color | None] | None
) -> None:
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ValueError(f"images are [N, 1 or 3, H, W] with at least one image, not {list(images.shape)}")
    if len(captions) != len(images) or (emphasis is not None and len(emphasis) != len(images)):
        raise ValueError(f"{len(images)} images need as many captions (and colors of emphasis, if any)")
    if columns < 1:
        raise ValueError(f"columns is {columns}; at least 1 is needed")


def _enlarged(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return an RGB image whose longer side has at least MIN_SIDE pixels, from uint8 [H, W, C]."""
    image = Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).convert("RGB")
    factor = math.ceil(MIN_SIDE / max(image.size))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _largest_text(captions: Sequence[str], font: Font) -> tuple[int, int]:
    """Return the largest width and the largest height of the captions, in pixels."""
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    boxes = [draw.multiline_textbbox((0, 0), caption, font=font) for caption in captions]
    return math.ceil(max(box[2] for box in boxes)), math.ceil(max(box[3] for box in boxes))


def _draw_cell(
    sheet: Image.Image,
    image: Image.Image,
    caption: str,
    color: Color | None,
    font: Font,
    center: int,
    top: int,
) -> None:
    """Draw one image and its caption, centered on the column `center`."""
    draw = ImageDraw.Draw(sheet)
    left = center - image.width // 2
    if color is not None:
        right, bottom = left + image.width - 1, top + image.height - 1
        draw.rectangle((left - FRAME, top - FRAME, right + FRAME, bottom + FRAME), fill=color)
    sheet.paste(image, (left, top))
    width = draw.multiline_textbbox((0, 0), caption, font=font)[2]
    corner = (center - width / 2, top + image.height + GAP)
    draw.multiline_text(corner, caption, color or TEXT, font=font, align="center")
