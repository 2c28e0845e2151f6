"""The whole way from a picture file to the network's input."""

from pathlib import Path

import numpy as np

from cnn_cli.errors import DataError
from cnn_cli.image.fit import fit
from cnn_cli.image.ink import find_ink
from cnn_cli.image.read import read


def prepare(source: Path | bytes, *, name: str) -> np.ndarray:
    """Read a picture of one digit and normalise it as MNIST does.

    Args:
        source: a file's path or a file's content, in any format that Pillow opens.
        name: what to call the picture in an error.

    Returns:
        uint8 [28, 28], 0 = paper, 255 = ink.

    Raises:
        DataError: the file is no picture, or there is no ink in it.
    """
    ink = find_ink(read(source, name=name))
    if not ink.any():
        raise DataError(f"{name}: no ink found, only paper", hint="give a picture with a digit on it")
    return fit(ink)
