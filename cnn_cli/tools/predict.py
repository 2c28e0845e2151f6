"""Reading pictures: files, folders or bytes to labels with probabilities."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cnn_cli.engine.checkpoint import Checkpoint
from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.prepare import Form, prepare
from cnn_cli.image.read import SUFFIXES

BATCH = 64
"""Pictures that the network reads at once; their answers appear together."""


@dataclass(frozen=True)
class Picture:
    """A picture to read: its name for people, and its file or its bytes."""

    name: str
    source: Path | bytes


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture."""

    path: str
    label: str
    confidence: float
    """Probability of the label, 0..1."""
    probabilities: dict[str, float]
    """Of every class, by its name; they sum to 1."""
    sure: bool = True
    """Whether the confidence reaches what was asked for."""


def find_pictures(paths: Sequence[Path]) -> Iterator[Picture | DataError]:
    """The pictures at `paths`, in that order; the pictures below a folder in the order of their names.

    A folder without pictures gives an error, in its place.
    """
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises on a name that is too long)
            yield Picture(str(path), path)
            continue
        inside = sorted(
            file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()
        )
        yield from (Picture(str(file), file) for file in inside)
        if not inside:
            yield DataError(f"{path}: a folder without pictures")


def predict(
    checkpoint: Checkpoint, pictures: Iterable[Picture | DataError], min_confidence: float = 0.0
) -> Iterator[Prediction | CnnError]:
    """Read each picture; one that cannot be read gives its error, in its place, and the others are read.

    Args:
        checkpoint: what reads.
        pictures: what is read.
        min_confidence: the answer is sure from this probability of its label on, 0..1.

    Raises:
        DataError: the checkpoint contradicts itself.
    """
    network = checkpoint.network()
    waiting = iter(pictures)
    while group := list(islice(waiting, BATCH)):
        for result in _predict_batch(checkpoint, network, group):
            yield _judged(result, min_confidence)


def _judged(result: Prediction | CnnError, min_confidence: float) -> Prediction | CnnError:
    if isinstance(result, CnnError) or result.confidence >= min_confidence:
        return result
    return replace(result, sure=False)


def _predict_batch(
    checkpoint: Checkpoint, network: nn.Module, group: Sequence[Picture | DataError]
) -> Iterator[Prediction | CnnError]:
    seen = checkpoint.preparation
    form = Form(seen.reading, seen.size, seen.channels)
    prepared = [_prepare(picture, form) for picture in group]
    arrays = [array for array in prepared if isinstance(array, np.ndarray)]
    rows = iter(_probabilities(checkpoint, network, arrays)) if arrays else iter(())
    for picture, result in zip(group, prepared, strict=True):
        if isinstance(picture, Picture) and isinstance(result, np.ndarray):
            yield _prediction(picture.name, checkpoint.classes, next(rows))
        elif isinstance(result, CnnError):
            yield result


def _prepare(picture: Picture | DataError, form: Form) -> "np.ndarray | CnnError":
    if isinstance(picture, CnnError):
        return picture
    try:
        return prepare(picture.source, form, name=picture.name)
    except CnnError as error:
        return error


@torch.inference_mode()
def _probabilities(checkpoint: Checkpoint, network: nn.Module, arrays: list[np.ndarray]) -> list[list[float]]:
    images = torch.from_numpy(np.stack(arrays))  # uint8 [N, C, H, W]
    logits = network(checkpoint.preparation.inputs(images))
    rows: list[list[float]] = checkpoint.probabilities(logits).tolist()
    return rows


def _prediction(path: str, classes: tuple[str, ...], probabilities: list[float]) -> Prediction:
    confidence, label = max(zip(probabilities, classes, strict=True), key=lambda pair: pair[0])
    return Prediction(path, label, confidence, dict(zip(classes, probabilities, strict=True)))
