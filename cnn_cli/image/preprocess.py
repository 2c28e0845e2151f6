"""The whole way from an image file to the pixels that are kept of it: one definition for all who need it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnn_cli.config.choices import PreprocessingKind
from cnn_cli.errors import DataError
from cnn_cli.image.decode import view
from cnn_cli.image.explanation import Explanation, explanation
from cnn_cli.image.fit import fitted
from cnn_cli.image.ink import locate
from cnn_cli.image.photo import read_whole

VERSION = 3
"""Raised whenever the same file gives other pixels: what was kept of it before is then made anew."""

DIGIT_SIDE = 28
"""Pixels a side of a digit as MNIST has it; a larger input has blank background around it."""


@dataclass(frozen=True)
class InputFormat:
    """What is made of an image: its `ink` as MNIST has it, or the `whole` of it in that size and color."""

    kind: PreprocessingKind = "digit"
    size: int = 28
    channels: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of what `prepare` returns. Ink is gray, and its size is MNIST's."""
        return (1, DIGIT_SIDE, DIGIT_SIDE) if self.kind == "digit" else (self.channels, self.size, self.size)


@dataclass(frozen=True)
class NetworkInput:
    """What a network is shown of an image."""

    pixels: np.ndarray
    """uint8 [C, H, W] of `InputFormat.shape`. Of ink, 0 = background and 255 = ink; of a whole image, 0 = black."""
    explanation: Explanation | None
    """How the ink was found; None for a whole image, where nothing is looked for, or if nobody asked."""


def preprocess(source: Path | bytes, input_format: InputFormat, *, name: str) -> np.ndarray:
    """Read an image and bring it into an input_format: the pixels of `look`."""
    return network_input(source, input_format, name=name).pixels


def network_input(
    source: Path | bytes, input_format: InputFormat, *, name: str, explain: bool = False
) -> NetworkInput:
    """Read an image and bring it into an input_format.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        input_format: what is made of it.
        name: what to call the image in an error.
        explain: whether to gather the explanation as well.

    Raises:
        DataError: the file is no image, or there is no ink in it where ink is looked for.
    """
    if input_format.kind == "photo":
        return NetworkInput(
            read_whole(source, name=name, size=input_format.size, channels=input_format.channels), None
        )
    seen = view(source, name=name)
    found = locate(seen.gray)
    if not found.ink.any():
        raise DataError(f"{name}: no ink found, only background", hint="give an image with a digit on it")
    digit = fitted(found.ink, DIGIT_SIDE)
    return NetworkInput(digit.pixels[None], explanation(seen, found, digit) if explain else None)


def preprocess_all(
    images: Sequence[tuple[str, Path | bytes]], input_format: InputFormat, explain: bool = False
) -> list[NetworkInput | DataError]:
    """Look at each image, given by its name and its source; one that cannot be used gives its error."""
    return [_look_or_error(name, source, input_format, explain) for name, source in images]


def _look_or_error(
    name: str, source: Path | bytes, input_format: InputFormat, explain: bool
) -> NetworkInput | DataError:
    try:
        return network_input(source, input_format, name=name, explain=explain)
    except DataError as error:
        return error
