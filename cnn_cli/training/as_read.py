"""The evaluation of your own images as `cnn predict` reads them: the same hypotheses, the same answers."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from cnn_cli.checkpoint.ensemble import know_outliers
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.data.source import LabeledFile, LabeledImages
from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.preprocess import NetworkInput
from cnn_cli.reading.predict import Prediction, predict
from cnn_cli.reading.reader import Reader
from cnn_cli.reading.sources import ImageSource


def chooses_hypotheses(checkpoints: Sequence[Checkpoint]) -> bool:
    """Return whether the networks read more than one hypothesis about an image.

    Other networks read an image as training prepares it: nothing is gained by reading its file.
    """
    read_digits = all(checkpoint.preprocessing.kind == "digit" for checkpoint in checkpoints)
    return read_digits and know_outliers(checkpoints)


def read_images(
    checkpoints: Sequence[Checkpoint], files: Iterable[LabeledFile], skip_broken: bool
) -> tuple[LabeledImages, Tensor]:
    """Read images as `cnn predict` does.

    Args:
        checkpoints: at least one; several are an ensemble.
        files: the images. An index of a label is one into the classes of the checkpoints.
        skip_broken: whether to leave out what cannot be read.

    Returns:
        The inputs that the network chose among its hypotheses, in the order of the files, and its calibrated
        probabilities float64 [N, classes].

    Raises:
        DataError: an image cannot be read and is not to be left out, or none can.
    """
    reader = Reader(checkpoints)
    labels: list[int] = []
    answered: list[Prediction] = []
    pending: list[int] = []

    def sources() -> Iterable[ImageSource]:
        for file in files:
            pending.append(file.label)
            yield ImageSource(file.name, file.source)

    for number, answer in enumerate(predict(reader, sources())):
        if isinstance(answer, Prediction):
            labels.append(pending[number])
            answered.append(answer)
        elif not skip_broken:
            raise _refused(answer)
    if not answered:
        raise DataError("no image can be read")
    probabilities = np.array([[answer.probabilities[name] for name in reader.classes] for answer in answered])
    store = torch.from_numpy(np.stack([_pixels(answer) for answer in answered]))
    return LabeledImages(store, torch.tensor(labels)), torch.from_numpy(probabilities)


def _pixels(answer: Prediction) -> np.ndarray:
    assert isinstance(answer.network_input, NetworkInput)  # only an answer without an image has none
    return answer.network_input.pixels


def _refused(error: CnnError) -> DataError:
    hint = "fix or remove it, or skip all broken images: data.own.broken=skip"
    return DataError(error.message, hint=hint)
