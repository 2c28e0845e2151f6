"""What is exported, what is known about the written file, and what 8 bits may cost."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.errors import BelowBarError
from cnn_cli.export.graph import Graph
from cnn_cli.export.samples import Images, Samples
from cnn_cli.inference.activations import softmax
from cnn_cli.inference.arrays import Array
from cnn_cli.inference.network import Network as InNumpy
from cnn_cli.inference.preprocess import preprocess
from cnn_cli.reading.reader import numpy_network

MOST_LOST = 0.001
"""Share of the test images that 8 bits may answer wrongly where the floats are right: 0.1 points."""


@dataclass(frozen=True)
class Network:
    """What is exported."""

    checkpoint: Checkpoint
    graph: Graph
    unsure_below: float
    """The probability from which on an answer counts; for the file's description."""

    @cached_property
    def numpy(self) -> InNumpy:
        """The network in NumPy, which every file is compared with."""
        return numpy_network(self.checkpoint)

    def inputs(self, images: Images) -> Array:
        """Return the network's input for images."""
        settings = self.checkpoint.preprocessing
        return preprocess(
            images, size=settings.size, mean=settings.mean, std=settings.std, kind=settings.kind
        )

    def probabilities(self, images: Images) -> NDArray[np.float64]:
        """Return the probabilities [N, classes] that `cnn predict` gives for images."""
        return softmax(self.numpy(self.inputs(images)), self.checkpoint.temperature)


@dataclass(frozen=True)
class Accuracy:
    """What 8 bits cost."""

    before: int
    """Test images that the network in floats answers correctly."""
    after: int
    """Test images that the network in 8 bits answers correctly."""
    count: int
    """All test images."""
    data: str
    """Their data."""
    calibration: int
    """Training images that the ranges of the numbers were measured on."""

    @classmethod
    def measure(
        cls, network: Network, samples: Samples, answer: Callable[[Images], NDArray[np.floating]]
    ) -> "Accuracy":
        """Compare the network in NumPy with one in 8 bits, which `answer` stands for.

        Raises:
            BelowBarError: 8 bits lose more than `MOST_LOST`.
        """
        before, after = map(samples.count_correct, (network.probabilities, answer))
        accuracy = cls(before, after, len(samples.test), samples.describe(), len(samples.calibration))
        accuracy._check()
        return accuracy

    def describe(self) -> str:
        """Return what a file says about its 8 bits."""
        after, before = self.after / self.count, self.before / self.count
        return (
            f"8 bits, calibrated with {self.calibration:,} training images of {self.data}; accuracy on its "
            f"{self.count:,} test images {after:.2%}, in floats {before:.2%}"
        )

    def _check(self) -> None:
        if self.before - self.after > MOST_LOST * self.count:
            raise BelowBarError(
                f"8 bits lower the accuracy on {self.data} from {self.before / self.count:.2%} to "
                f"{self.after / self.count:.2%}, more than {100 * MOST_LOST:.1f} points; nothing was written",
                hint="export without --int8",
            )


@dataclass(frozen=True)
class Exported:
    """A file that was written, and what is known about it."""

    path: Path
    format: str
    bytes: int
    difference: float | None = None
    """Largest difference of a probability from that of `cnn predict`; None if it was not measured."""
    accuracy: Accuracy | None = None
    """For 8 bits."""
    flash: int | None = None
    """Bytes of the constants in C."""
    ram: int | None = None
    """Bytes of static memory in C."""
    multiply_adds: int = 0
    """Products with a weight for one image."""
