"""A reader: one or several checkpoints as a network in NumPy that answers with calibrated probabilities."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.ensemble import check_compatible
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat
from cnn_cli.inference.memory import keep_memory
from cnn_cli.inference.network import Network, build_network
from cnn_cli.inference.preprocess import normalize, to_unit_range

Floats = NDArray[np.float32]


class Reader:
    """One network, or an ensemble of several whose probabilities are averaged.

    Args:
        checkpoints: at least one.

    Raises:
        DataError: their classes or inputs differ, or the weights of one do not fit its config.
    """

    def __init__(self, checkpoints: Sequence[Checkpoint]) -> None:
        check_compatible(checkpoints)
        first = checkpoints[0]
        self.checkpoints = tuple(checkpoints)
        self.networks = [network_of(checkpoint) for checkpoint in checkpoints]
        self.classes = first.classes
        self.preprocessing = first.preprocessing
        self.input_format = InputFormat(
            first.preprocessing.kind, first.preprocessing.size, first.preprocessing.channels
        )
        keep_memory()

    @property
    def name(self) -> str:
        """The name of the first network."""
        return self.checkpoints[0].config.name

    @property
    def trained_on(self) -> str:
        """The data that the networks were trained on."""
        return ", ".join(dict.fromkeys(checkpoint.data for checkpoint in self.checkpoints))

    def pixels(self, images: NDArray[np.uint8]) -> Floats:
        """Turn uint8 [N, C, H, W] into float32 [N, channels, size, size] in 0..1."""
        return to_unit_range(images, self.preprocessing)

    def logits(self, pixels: Floats) -> Floats:
        """Return logits float32 [N, classes] of pixels in 0..1.

        The logits of an ensemble are the logarithm of its mean probability, so that a softmax returns that mean.
        """
        if len(self.networks) == 1:
            return self.networks[0](normalize(pixels.copy(), self.preprocessing))
        pairs = zip(self.checkpoints, self.networks, strict=True)
        answers = [
            _log_softmax(
                network(normalize(pixels.copy(), checkpoint.preprocessing))
                / np.float32(checkpoint.temperature)
            )
            for checkpoint, network in pairs
        ]
        return np.logaddexp.reduce(answers, axis=0) - np.float32(np.log(len(answers)))

    def probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the calibrated probabilities float64 [N, classes] of logits [N, classes]."""
        temperature = self.checkpoints[0].temperature if len(self.checkpoints) == 1 else 1.0
        return np.exp(_log_softmax(logits.astype(np.float64) / temperature))


def open_reader(files: Sequence[Path]) -> Reader:
    """Read checkpoint files and return their reader.

    Raises:
        DataError: a file cannot be used, or the checkpoints do not belong together.
    """
    return Reader([file.read(path) for path in files])


def network_of(checkpoint: Checkpoint) -> Network:
    """Build the checkpoint's network in NumPy.

    Raises:
        DataError: the weights do not fit the config.
    """
    layers = [(item.name, item.parameters) for item in checkpoint.config.model.layers]
    shape = checkpoint.preprocessing.input_shape
    try:
        return build_network(layers, shape, len(checkpoint.classes), checkpoint.weights)
    except ValueError as error:
        place = checkpoint.path or "the checkpoint"
        raise DataError(f"{place}: its weights do not fit its config: {error}") from None


def _log_softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the logarithm of the softmax: log(exp(x) / sum(exp(x))), per row."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_softmax: NDArray[np.floating] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_softmax
