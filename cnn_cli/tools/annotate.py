"""The picture with what was read in it: a box and a label for each digit, as a PNG."""

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from cnn_cli.errors import DataError
from cnn_cli.files import atomic_write
from cnn_cli.image.whole import read_opaque
from cnn_cli.tools.many import Text

# Distinct for red-green blindness (Okabe & Ito); by turns, so that neighbours' boxes can be told apart.
COLORS = ((213, 94, 0), (0, 114, 178))

LABEL = 0.5  # height of a label as a share of its box's height
SMALLEST = 10  # pixels of a label's height, which one can still read
LINE = 1 / 400  # width of a box's line as a share of the picture's longer side


def annotate(source: Path | bytes, text: Text) -> Image.Image:
    """Draw boxes and labels over the picture, the right way up; the labels lie in a margin above each box."""
    picture = read_opaque(source, name=text.path)
    draw = ImageDraw.Draw(picture)
    line = max(1, round(max(picture.size) * LINE))
    for number, digit in enumerate(text.digits):
        left, top, right, bottom = digit.box
        color = COLORS[number % len(COLORS)]
        draw.rectangle(
            (left - line, top - line, right - 1 + line, bottom - 1 + line), outline=color, width=line
        )
        size = max(SMALLEST, round((bottom - top) * LABEL))
        place = (left, max(0, top - line - size))
        draw.text(place, digit.label, fill=color, font=ImageFont.load_default(size))
    return picture


def write_annotated(source: Path | bytes, text: Text, path: Path) -> None:
    """Write that as a PNG.

    Raises:
        DataError: the picture cannot be read, or the file cannot be written.
    """
    png = io.BytesIO()
    annotate(source, text).save(png, format="PNG")
    try:
        with atomic_write(path) as file:
            file.write(png.getvalue())
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None
