"""Read an image of several digits: rows of text, with a box and a confidence for each digit."""

from collections.abc import Iterable, Iterator

from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.decode import DecodedImage, decode
from cnn_cli.reading.image_text import Box, Digit, ImageText
from cnn_cli.reading.line_reader import LineReader
from cnn_cli.reading.lines import read_page, unturned
from cnn_cli.reading.second_reading import read_digits_again
from cnn_cli.reading.sources import ImageSource

MAX_SIDE = 1600
"""Upper limit of a decoded image's longer side in pixels: each of 40 digits in a row then has 30 pixels."""


def read_texts(
    reader: LineReader,
    images: Iterable[ImageSource | DataError],
    min_confidence: float = 0.0,
    *,
    signs: bool = False,
) -> Iterator[ImageText | CnnError]:
    """Read each image. One that cannot be read gives its error in its place, and the others continue.

    Args:
        reader: the network.
        images: the images; an error keeps its place.
        min_confidence: from this probability on, a digit is confident, 0..1.
        signs: whether the signs that the network reads are part of the text.
    """
    for image in images:
        try:
            if isinstance(image, CnnError):
                raise image
            yield read_text(reader, image, min_confidence, signs=signs)
        except CnnError as error:
            yield error


def read_text(
    reader: LineReader, image: ImageSource, min_confidence: float = 0.0, *, signs: bool = False
) -> ImageText:
    """Read all digits of an image, row by row.

    Args:
        reader: the network.
        image: a file or its content.
        min_confidence: from this probability on, a digit is confident, 0..1.
        signs: whether signs are part of the text.

    Raises:
        DataError: the image cannot be read, or there are no digits in it.
    """
    decoded = decode(image.source, name=image.printable_name, max_side=MAX_SIDE)
    page = read_page(reader, decoded.gray)
    shape = (decoded.gray.shape[0], decoded.gray.shape[1])
    digits = [
        Digit(
            each.label,
            each.confidence,
            _scaled(unturned(each.box, page.turns, shape), decoded),
            each.row,
            each.confidence >= min_confidence,
            each.read_again,
            each.ink,
        )
        for each in read_digits_again(reader, page.characters)
        if signs or each.label.isdigit()
    ]
    if not digits:
        raise DataError(
            f"{image.printable_name}: no digits", hint="name an image of digits, or a larger part"
        )
    return ImageText(image.name, tuple(digits), image.source, 90 * page.turns, page.unread)


def _scaled(box: tuple[float, ...], decoded: DecodedImage) -> Box:
    """Convert a box from pixels of the decoded image to pixels of the original."""
    across, down = decoded.size[0] / decoded.gray.shape[1], decoded.size[1] / decoded.gray.shape[0]
    left, top, right, bottom = box
    return (
        max(0, int(left * across)),
        max(0, int(top * down)),
        min(decoded.size[0], -int(-right * across // 1)),
        min(decoded.size[1], -int(-bottom * down // 1)),
    )
