"""The line reader: a network in NumPy that reads strips of any width."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.choose import shipped
from cnn_cli.checkpoint.ensemble import check_reads_lines
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.errors import DataError
from cnn_cli.inference.activations import log_softmax
from cnn_cli.reading.columns import ColumnCharacter, read_columns
from cnn_cli.reading.reader import Reader, normalize, numpy_network, open_reader

CERTAIN = 0.99
"""If a character of a strip has less confidence, the strip is read again, a little higher and lower, and a
digit that stands apart is read again by itself."""

SHIFTS = (0, 1, -1)
"""By how many pixels, down. The mean is right more often than one reading: rows are found with an error."""


class LineReader:
    """A network that reads lines of digits.

    Args:
        checkpoint: of a network that was trained on lines.

    Raises:
        DataError: it reads single images, or its weights do not fit its config.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        check_reads_lines(checkpoint)
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

    @cached_property
    def digit_reader(self) -> Reader:
        """The included network for single digits."""
        return open_reader([shipped()])

    def pixels(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn uint8 [N, C, H, W] into float32 in 0..1, as contact sheets show it."""
        return images.astype(np.float32) / np.float32(255)

    def read(
        self, strip: NDArray[np.uint8], *, again: bool = True
    ) -> list[tuple[ColumnCharacter, tuple[int, int]]]:
        """Return the characters of a strip, each with its columns in pixels of the strip.

        Args:
            strip: uint8 [H, W], 0 = background.
            again: whether an unsure strip is read again, a little higher and lower.
        """
        scores = self._scores(strip[None])
        characters = read_columns(scores)
        if again and any(each.confidence < CERTAIN for each in characters):
            characters = read_columns(self._scores(np.stack([_shifted(strip, shift) for shift in SHIFTS])))
        step = strip.shape[1] / scores.shape[1]
        return [(each, (round(step * each.columns[0]), round(step * each.columns[1]))) for each in characters]

    def _scores(self, strips: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the mean log probabilities [K + 1, W'] of strips uint8 [N, H, W] of one row."""
        inputs = normalize(self.pixels(strips[:, None]), self.checkpoint.preprocessing)
        logits = self.network(inputs)[:, :, 0].astype(np.float64) / self.checkpoint.temperature
        scores: NDArray[np.float64] = log_softmax(logits, axis=1).mean(axis=0)
        return scores


def _shifted(strip: NDArray[np.uint8], down: int) -> NDArray[np.uint8]:
    """Move a strip down by some pixels, and its border with it."""
    rows = np.clip(np.arange(len(strip)) - down, 0, len(strip) - 1)
    return strip[rows]


def open_line_reader(files: Sequence[Path]) -> LineReader:
    """Read the checkpoint file of a network for lines.

    Args:
        files: one.

    Raises:
        DataError: it cannot be used, it reads single images, or there are several.
    """
    if len(files) > 1:
        raise DataError(
            f"{files[1]}: lines are read by one network, not by several", hint="name one checkpoint"
        )
    return LineReader(file.read(files[0]))
