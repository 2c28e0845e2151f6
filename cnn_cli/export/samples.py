"""The images that an export needs: some to check a file with, and those that choose and measure 8 bits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config.schema import Config
from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat
from cnn_cli.inference.preprocess import on_background, resize, to_channels

if TYPE_CHECKING:
    from cnn_cli.data.source import Access, LabeledImages

Images = NDArray[np.uint8]

CALIBRATION = 512
"""Training images that the ranges of 8-bit numbers are measured on."""

BATCH = 100
"""Images that go through a network at a time."""

CHECKED = 64
"""Random images, and drawn digits, that a written file is checked with."""


@dataclass(frozen=True)
class Samples:
    """Images as a network's preprocessing leaves them, of the data that it was trained on."""

    data: str
    """The data that is used; a fallback if the training data is not available."""
    is_fallback: bool
    calibration: Images
    """uint8 [N, C, H, W]: training images."""
    test: Images
    """uint8 [M, C, H, W]: all test images."""
    labels: NDArray[np.int64]
    """[M]."""

    def count_correct(self, answer: Callable[[Images], NDArray[np.floating]]) -> int:
        """Return for how many test images the largest of the numbers [N, classes] is that of the label."""
        starts = range(0, len(self.test), BATCH)
        answers = [answer(self.test[start : start + BATCH]).argmax(1) for start in starts]
        return int((np.concatenate(answers) == self.labels).sum())

    def describe(self) -> str:
        """Return the data in words."""
        return (
            f"{self.data} (used because the requested data is not available)"
            if self.is_fallback
            else self.data
        )


def load_samples(
    config: Config, classes: tuple[str, ...], preprocessing: Preprocessing, access: "Access"
) -> Samples:
    """Open the data of a config, or its fallback, and return its images for calibration and test.

    Raises:
        DataError: the data is not available, or has other classes than the network.
    """
    from cnn_cli.data.sources import open_source  # it imports torch

    source = open_source(config.data, access)
    if source.classes != classes:
        raise DataError(f"{source.name} has other classes than the network")
    train, test = source.train(), source.test()
    count = min(CALIBRATION, len(train))
    spread = np.linspace(0, len(train) - 1, count).astype(np.int64)  # a folder has one class after the other
    return Samples(
        source.name,
        source.is_fallback,
        _as_input(_take(train, spread), preprocessing),
        _as_input(_take(test, np.arange(len(test))), preprocessing),
        test.labels.numpy(),
    )


def _take(images: "LabeledImages", indices: NDArray[np.int64]) -> Images:
    import torch

    taken: Images = images.take(torch.from_numpy(indices)).numpy()
    return taken


def _as_input(images: Images, preprocessing: Preprocessing) -> Images:
    """Return images as `cnn_cli.image.preprocess` would give them: 28x28 and gray for digits."""
    kind = preprocessing.kind
    channels, side, _ = InputFormat(kind, preprocessing.size, preprocessing.channels).shape
    images = to_channels(images, channels)
    if kind == "digit":
        images = on_background(images, side)
    if images.shape[2:] == (side, side):
        return images
    return np.rint(resize(images.astype(np.float32), side)).astype(np.uint8)


def images_to_check(preprocessing: Preprocessing) -> Images:
    """Return random images as the preprocessing leaves them and, if it reads digits, drawn digits too."""
    kind = preprocessing.kind
    shape = InputFormat(kind, preprocessing.size, preprocessing.channels).shape
    noise = np.random.default_rng(0).integers(0, 256, (CHECKED, *shape)).astype(np.uint8)
    if kind != "digit":
        return noise
    from cnn_cli.data.synthetic import draw

    digits, _ = draw(CHECKED, seed=0)
    return np.concatenate([noise, digits[:, None]])
