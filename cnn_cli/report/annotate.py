"""An image with a box and a label around each digit that was read in it, as a PNG."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from cnn_cli.files import write_png
from cnn_cli.image.pages import ImageFile
from cnn_cli.image.photo import read_rgb
from cnn_cli.reading.image_text import ImageText
from cnn_cli.text import printable

# Colors that people with red-green blindness can distinguish (Okabe & Ito). They alternate, so that the boxes
# of adjacent digits differ.
COLORS = ((213, 94, 0), (0, 114, 178))

LABEL = 0.5  # height of a label as a share of its box's height
MIN_LABEL = 10  # height of a label in pixels that is still legible
LINE = 1 / 400  # width of a box's line as a share of the image's longer side


def annotate(source: ImageFile, text: ImageText) -> Image.Image:
    """Draw boxes and labels over the upright image, each label above its box. A large image is reduced."""
    image, scale = read_rgb(source, name=printable(text.path))
    draw = ImageDraw.Draw(image)
    line = max(1, round(max(image.size) * LINE))
    for number, digit in enumerate(text.digits):
        left, top, right, bottom = (round(end * scale) for end in digit.box)
        color = COLORS[number % len(COLORS)]
        draw.rectangle(
            (left - line, top - line, right - 1 + line, bottom - 1 + line), outline=color, width=line
        )
        size = max(MIN_LABEL, round((bottom - top) * LABEL))
        place = (left, max(0, top - line - size))
        draw.text(place, digit.label, fill=color, font=ImageFont.load_default(size))
    return image


def write_annotated(text: ImageText, path: Path) -> None:
    """Write the annotated image as a PNG.

    Raises:
        DataError: the image cannot be read, or the file cannot be written.
    """
    annotated = annotate(text.source, text)
    write_png(path, lambda file: annotated.save(file, format="PNG"))
