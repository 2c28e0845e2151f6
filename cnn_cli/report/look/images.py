"""The images that a page offers, preprocessed for its network, with the attribution of their pixels."""

import importlib.util
from collections.abc import Iterable, Iterator

import numpy as np

from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.preprocess import network_input
from cnn_cli.reading.reader import Reader
from cnn_cli.reading.sources import ImageSource
from cnn_cli.report.look.page import PageImage

EXPLAINED = 2
"""How many of the likeliest classes are explained for an image: the answer and the second answer."""


def page_images(reader: Reader, images: Iterable[ImageSource | DataError]) -> Iterator[PageImage | CnnError]:
    """Preprocess images for a page. One that cannot be read gives its error in its place.

    Attributions need PyTorch; where it is not installed, the images come without them.

    Args:
        reader: the reader of one checkpoint.
        images: the images; an error keeps its place.
    """
    for image in images:
        if isinstance(image, DataError):
            yield image
            continue
        try:
            pixels = network_input(image.source, reader.input_format, name=image.name).pixels
        except DataError as error:
            yield error
        else:
            yield PageImage(image.name, pixels, _attributions(reader, pixels))


def _attributions(reader: Reader, pixels: np.ndarray) -> dict[str, np.ndarray]:
    if importlib.util.find_spec("torch") is None:
        return {}
    from cnn_cli.report.look.gradients import integrated_gradients

    probabilities = reader.probabilities(reader.logits(reader.pixels(pixels[None])))[0]
    numbers = np.argsort(-probabilities)[:EXPLAINED].tolist()
    maps = integrated_gradients(reader.checkpoints[0], pixels, numbers)
    return {reader.classes[number]: values for number, values in zip(numbers, maps, strict=True)}
