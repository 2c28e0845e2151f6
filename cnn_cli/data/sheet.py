"""A contact sheet: many small pictures in a grid, each with its caption."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

Color = tuple[int, int, int]
Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

RED: Color = (214, 39, 40)
"""The usual emphasis."""

SMALLEST = 84  # pixels a side: a 28x28 digit three times as large, which a person reads without zooming
FONT_SIZE = 14
GAP = 6  # pixels around a cell
FRAME = 3  # pixels of an emphasised picture's frame; less than GAP
BACKGROUND: Color = (255, 255, 255)
TEXT: Color = (32, 32, 32)


def contact_sheet(
    images: Tensor, captions: Sequence[str], columns: int, emphasis: Sequence[Color | None] | None = None
) -> Image.Image:
    """Draw pictures in rows, in reading order, each above its caption.

    Args:
        images: uint8 [N, C, H, W] with 1 or 3 channels, shown as the network sees them: 0 black, 255 white.
            Small pictures are enlarged by a whole factor, so that a pixel stays a square.
        captions: N texts, of one or more lines.
        columns: how many pictures are in a row, at least 1.
        emphasis: N colours; a picture with one gets a frame, and its caption the same colour.

    Raises:
        ValueError: the arguments do not fit together.
    """
    _check(images, captions, columns, emphasis)
    pictures = [_picture(image) for image in images.cpu().permute(0, 2, 3, 1).numpy()]  # each uint8 [H, W, C]
    font = ImageFont.load_default(FONT_SIZE)
    text_width, text_height = _largest_text(captions, font)
    width = max(pictures[0].width, text_width) + 2 * GAP
    height = pictures[0].height + text_height + 3 * GAP
    columns = min(columns, len(pictures))
    sheet = Image.new("RGB", (columns * width, math.ceil(len(pictures) / columns) * height), BACKGROUND)
    colors = emphasis or [None] * len(pictures)
    for i, (picture, caption, color) in enumerate(zip(pictures, captions, colors, strict=True)):
        center = (i % columns) * width + width // 2
        _draw_cell(sheet, picture, caption, color, font, center, (i // columns) * height + GAP)
    return sheet


def _check(
    images: Tensor, captions: Sequence[str], columns: int, emphasis: Sequence[Color | None] | None
) -> None:
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ValueError(f"images are [N, 1 or 3, H, W] with at least one picture, not {list(images.shape)}")
    if len(captions) != len(images) or (emphasis is not None and len(emphasis) != len(images)):
        raise ValueError(f"{len(images)} pictures need as many captions (and colours of emphasis, if any)")
    if columns < 1:
        raise ValueError(f"columns is {columns}; at least 1 is needed")


def _picture(image: NDArray[np.uint8]) -> Image.Image:
    """An RGB picture of at least SMALLEST pixels a side, from uint8 [H, W, C]."""
    picture = Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).convert("RGB")
    factor = math.ceil(SMALLEST / max(picture.size))
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def _largest_text(captions: Sequence[str], font: Font) -> tuple[int, int]:
    """The width and height, in pixels, that the largest caption needs."""
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    boxes = [draw.multiline_textbbox((0, 0), caption, font=font) for caption in captions]
    return math.ceil(max(box[2] for box in boxes)), math.ceil(max(box[3] for box in boxes))


def _draw_cell(
    sheet: Image.Image,
    picture: Image.Image,
    caption: str,
    color: Color | None,
    font: Font,
    center: int,
    top: int,
) -> None:
    """One picture and its caption, centred on the column `center`."""
    draw = ImageDraw.Draw(sheet)
    left = center - picture.width // 2
    if color is not None:
        right, bottom = left + picture.width - 1, top + picture.height - 1
        draw.rectangle((left - FRAME, top - FRAME, right + FRAME, bottom + FRAME), fill=color)
    sheet.paste(picture, (left, top))
    width = draw.multiline_textbbox((0, 0), caption, font=font)[2]
    corner = (center - width / 2, top + picture.height + GAP)
    draw.multiline_text(corner, caption, color or TEXT, font=font, align="center")
