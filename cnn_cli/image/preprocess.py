"""Every step from an image file to the network's inputs, shared by training and prediction."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnn_cli.config.choices import PreprocessingKind
from cnn_cli.errors import DataError
from cnn_cli.image.decode import DecodedImage, decode
from cnn_cli.image.explanation import Explanation
from cnn_cli.image.explanation import explain as explain_steps
from cnn_cli.image.hypotheses import Hypothesis, Kind, first_hypothesis, other_hypotheses
from cnn_cli.image.pages import ImageFile
from cnn_cli.image.photo import read_photo

VERSION = 4
"""Increased whenever the same file gives other pixels; caches of an older version are then rebuilt."""

DIGIT_SIDE = 28
"""Side of a digit's image in pixels, as in MNIST; a larger network input has blank background around it."""


@dataclass(frozen=True)
class InputFormat:
    """What an image is turned into: a `digit` as in MNIST, or a `photo` of a given size and color."""

    kind: PreprocessingKind = "digit"
    size: int = 28
    channels: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of what `preprocess` returns. A digit is always gray and 28x28."""
        return (1, DIGIT_SIDE, DIGIT_SIDE) if self.kind == "digit" else (self.channels, self.size, self.size)


@dataclass(frozen=True)
class NetworkInput:
    """The pixels of one image for the network, and how they were made."""

    pixels: np.ndarray
    """uint8 [C, H, W], as `InputFormat.shape`. Digit: 0 = background, 255 = ink; photo: 0 = black."""
    kind: Kind | None = None
    """What was taken for the digit; None for a photo."""
    reaches_border: bool = False
    """Whether something as strong as its ink is at a border of the image."""
    share: float = 1.0
    """Share of the ink that stands out which the digit has, above 0 to 1."""
    explanation: Explanation | None = None
    """How the digit was found; None for a photo, or if no explanation was asked for."""


def preprocess(source: ImageFile, input_format: InputFormat, *, name: str) -> np.ndarray:
    """Turn an image file into pixels of the given format: those of `network_input`."""
    return network_input(source, input_format, name=name).pixels


def network_input(
    source: ImageFile, input_format: InputFormat, *, name: str, explain: bool = False
) -> NetworkInput:
    """Turn an image file into the network's input.

    Args:
        source: a file's path or content in one of the listed formats, or a page of it.
        input_format: what the image is turned into.
        name: what to call the image in an error.
        explain: whether to add the explanation.

    Raises:
        DataError: the file is not an image, or no ink is found although a digit is expected.
    """
    if input_format.kind == "photo":
        size, channels = input_format.size, input_format.channels
        return NetworkInput(read_photo(source, name=name, size=size, channels=channels))
    image = decode(source, name=name)
    first = first_hypothesis(image.gray)
    if first is None:
        raise DataError(f"{name}: no ink found, only background", hint="give an image with a digit on it")
    return _input_of(image, first, explain)


def other_inputs(source: ImageFile, *, name: str, explain: bool = False) -> list[NetworkInput]:
    """Return what else the digit in an image file may be, as network inputs; those that are turned come last.

    Raises:
        DataError: the file is not an image.
    """
    image = decode(source, name=name)
    others = other_hypotheses(image.gray, first_hypothesis(image.gray))
    return [_input_of(image, other, explain) for other in others]


def _input_of(image: DecodedImage, hypothesis: Hypothesis, explain: bool) -> NetworkInput:
    explanation = explain_steps(image, hypothesis) if explain else None
    pixels = hypothesis.digit.pixels[None]
    reaches_border, share = hypothesis.reaches_border, hypothesis.share
    return NetworkInput(pixels, hypothesis.kind, reaches_border, share, explanation)


def preprocess_all(
    images: Sequence[tuple[str, ImageFile]], input_format: InputFormat, explain: bool = False
) -> list[NetworkInput | DataError]:
    """Preprocess several images, each given by its name and source; an image that fails gives its error."""
    return [_input_or_error(name, source, input_format, explain) for name, source in images]


def _input_or_error(
    name: str, source: ImageFile, input_format: InputFormat, explain: bool
) -> NetworkInput | DataError:
    try:
        return network_input(source, input_format, name=name, explain=explain)
    except DataError as error:
        return error
