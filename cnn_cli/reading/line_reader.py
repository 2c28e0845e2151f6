"""The line reader: a network in NumPy that reads strips of any width."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.errors import DataError
from cnn_cli.reading.columns import ColumnCharacter, read_columns
from cnn_cli.reading.reader import Reader, numpy_network


class LineReader:
    """A network that reads lines of digits.

    Args:
        checkpoint: of a network that was trained on lines.

    Raises:
        DataError: the weights do not fit the config.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.checkpoints = (checkpoint,)
        self.network = numpy_network(checkpoint)
        self.classes = checkpoint.classes
        self.height = checkpoint.preprocessing.size
        """Height of a strip in pixels."""

    @property
    def name(self) -> str:
        """The name of the network."""
        return self.checkpoint.config.name

    @property
    def trained_on(self) -> str:
        """The data that the network was trained on."""
        return self.checkpoint.data

    def pixels(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn uint8 [N, C, H, W] into float32 in 0..1, as contact sheets show it."""
        return images.astype(np.float32) / np.float32(255)

    def read(self, strip: NDArray[np.uint8]) -> list[tuple[ColumnCharacter, tuple[int, int]]]:
        """Return the characters of a strip uint8 [H, W], each with its columns in pixels of the strip."""
        preprocessing = self.checkpoint.preprocessing
        pixels = self.pixels(strip[None, None])
        inputs = (pixels - np.float32(preprocessing.mean[0])) / np.float32(preprocessing.std[0])
        scores = self.network(inputs)[0, :, 0]  # [K + 1, W']
        characters = read_columns(scores, self.checkpoint.temperature)
        step = strip.shape[1] / scores.shape[1]
        return [(each, (round(step * each.columns[0]), round(step * each.columns[1]))) for each in characters]


def open_text_reader(files: Sequence[Path]) -> Reader | LineReader:
    """Read checkpoint files and return what `cnn read` reads with.

    Args:
        files: one of a network for lines, or those of a network or ensemble for digits.

    Raises:
        DataError: a file cannot be used, or the checkpoints do not fit together.
    """
    checkpoints = [file.read(path) for path in files]
    lines = [each for each in checkpoints if each.preprocessing.kind == "line"]
    if not lines:
        return Reader(checkpoints)
    if len(checkpoints) > 1:
        raise DataError(f"{lines[0].path}: reads lines, and is part of no ensemble", hint="name it alone")
    return LineReader(lines[0])
