"""The reader: one or several checkpoints as networks in NumPy that give calibrated probabilities."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.ensemble import check_compatible, know_outliers, temperature_of
from cnn_cli.checkpoint.file import Checkpoint, not_finite
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.preprocess import InputFormat
from cnn_cli.inference.activations import log_softmax, softmax
from cnn_cli.inference.build import build_network
from cnn_cli.inference.network import Network
from cnn_cli.inference.onnx_network import OnnxNetwork
from cnn_cli.inference.preprocess import preprocess
from cnn_cli.text import one_line

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
        self.networks = tuple(network_of(checkpoint) for checkpoint in checkpoints)
        self.classes = first.classes
        self.preprocessing = first.preprocessing
        self.input_format = InputFormat(
            first.preprocessing.kind, first.preprocessing.size, first.preprocessing.channels
        )

    @property
    def name(self) -> str:
        """The name of the first network."""
        return self.checkpoints[0].config.name

    @property
    def trained_on(self) -> str:
        """The data that the networks were trained on."""
        return ", ".join(dict.fromkeys(checkpoint.data for checkpoint in self.checkpoints))

    @property
    def knows_outliers(self) -> bool:
        """Whether the networks choose among hypotheses: see `know_outliers`."""
        return know_outliers(self.checkpoints)

    def pixels(self, images: NDArray[np.uint8]) -> Floats:
        """Turn uint8 [N, C, H, W] into float32 [N, channels, size, size] in 0..1."""
        channels = self.preprocessing.channels
        return preprocess(
            images,
            size=self.preprocessing.size,
            mean=(0.0,) * channels,
            std=(1.0,) * channels,
            kind=self.preprocessing.kind,
        )

    def logits(self, pixels: Floats) -> Floats:
        """Return logits float32 [N, classes] of pixels in 0..1.

        The logits of an ensemble are the logarithm of its mean probability: their softmax is that mean.

        Raises:
            DataError: a network computes no finite numbers, as one with huge weights does.
        """
        members = zip(self.checkpoints, self.networks, strict=True)
        with np.errstate(over="ignore", invalid="ignore"):  # what comes out is checked
            outputs = [network(normalize(pixels, each.preprocessing)) for each, network in members]
        for each, logits in zip(self.checkpoints, outputs, strict=True):
            if not np.isfinite(logits).all():
                raise not_finite(each)
        if len(outputs) == 1:
            return outputs[0]
        calibrated = [
            log_softmax(logits.astype(np.float64) / checkpoint.temperature)
            for logits, checkpoint in zip(outputs, self.checkpoints, strict=True)
        ]
        with np.errstate(over="ignore"):  # the logarithm of an impossible class may be -inf
            mean = np.logaddexp.reduce(calibrated, axis=0) - np.log(len(calibrated))
            answers: Floats = mean.astype(np.float32)
        return answers

    def probabilities(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the calibrated probabilities float64 [N, classes] of logits [N, classes]."""
        return softmax(logits, temperature_of(self.checkpoints))


def open_reader(files: Sequence[Path]) -> Reader:
    """Read checkpoint files and return their reader.

    Raises:
        DataError: a file cannot be used, or the checkpoints do not fit together.
    """
    return Reader([file.read(path) for path in files])


def network_of(checkpoint: Checkpoint) -> Network | OnnxNetwork:
    """Build the checkpoint's network in NumPy, or open that of its ONNX file.

    Raises:
        DataError: the weights do not fit the config.
    """
    if checkpoint.onnx is not None:
        return OnnxNetwork(checkpoint.onnx)
    return numpy_network(checkpoint)


def numpy_network(checkpoint: Checkpoint, *, fast: bool = True) -> Network:
    """Build the network of a checkpoint with weights; `fast` as for `build_network`.

    Raises:
        DataError: the weights do not fit the config.
    """
    layers = [(item.name, item.parameters) for item in checkpoint.config.model.layers]
    shape = checkpoint.preprocessing.input_shape
    per_column = checkpoint.preprocessing.kind == "line"
    classes = len(checkpoint.classes) + per_column  # and the blank
    try:
        return build_network(layers, shape, classes, checkpoint.weights, fast=fast, per_column=per_column)
    except (CnnError, RecursionError) as error:
        place = checkpoint.path or "the checkpoint"
        raise DataError(f"{place}: its weights do not fit its config: {one_line(error)}") from None


def normalize(pixels: Floats, preprocessing: Preprocessing) -> Floats:
    """Return (pixels - mean) / std, per channel."""
    mean, std = (
        np.array(values, np.float32)[:, None, None] for values in (preprocessing.mean, preprocessing.std)
    )
    normalized: Floats = (pixels - mean) / std
    return normalized
