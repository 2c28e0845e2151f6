"""Reading pictures: files, folders or bytes to labels with probabilities."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cnn_cli.engine.checkpoint import Checkpoint
from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.prepare import Form, Seen
from cnn_cli.tools.pictures import Picture
from cnn_cli.tools.preparing import Batch, prepared

BATCH = 64
"""Pictures that the network reads at once; their answers appear together."""


@dataclass(frozen=True)
class Shown:
    """What the network was shown, and of what."""

    source: Path | bytes
    """The picture's file or bytes."""
    seen: Seen
    """Its pixels and, if asked for, how they were found."""


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
    shown: Shown | None = field(default=None, repr=False, compare=False)
    """What the network was shown."""


def predict(
    checkpoint: Checkpoint,
    pictures: Iterable[Picture | DataError],
    min_confidence: float = 0.0,
    explain: bool = False,
) -> Iterator[Prediction | CnnError]:
    """Read each picture; one that cannot be read gives its error, in its place, and the others are read.

    Args:
        checkpoint: what reads.
        pictures: what is read.
        min_confidence: the answer is sure from this probability of its label on, 0..1.
        explain: whether to gather, in `Prediction.shown`, how the ink was found.

    Raises:
        DataError: the checkpoint contradicts itself.
    """
    yield from answers(checkpoint, checkpoint.network(), pictures, min_confidence, explain)


def answers(
    checkpoint: Checkpoint,
    network: nn.Module,
    pictures: Iterable[Picture | DataError],
    min_confidence: float = 0.0,
    explain: bool = False,
) -> Iterator[Prediction | CnnError]:
    """The same for who has `checkpoint.network()` already."""
    seen = checkpoint.preparation
    form = Form(seen.reading, seen.size, seen.channels)
    with closing(prepared(pictures, form, BATCH, explain)) as batches:
        for batch in batches:
            for answer in _predict_batch(checkpoint, network, batch):
                yield _judged(answer, min_confidence)


def _judged(answer: Prediction | CnnError, min_confidence: float) -> Prediction | CnnError:
    if isinstance(answer, CnnError) or answer.confidence >= min_confidence:
        return answer
    return replace(answer, sure=False)


def _predict_batch(
    checkpoint: Checkpoint, network: nn.Module, batch: Batch
) -> Iterator[Prediction | CnnError]:
    arrays = [seen.pixels for _, seen in batch if isinstance(seen, Seen)]
    rows = iter(_probabilities(checkpoint, network, arrays)) if arrays else iter(())
    for picture, seen in batch:
        if isinstance(picture, Picture) and isinstance(seen, Seen):
            prediction = _prediction(picture.name, checkpoint.classes, next(rows))
            yield replace(prediction, shown=Shown(picture.source, seen))
        elif isinstance(seen, CnnError):
            yield seen


@torch.inference_mode()
def _probabilities(checkpoint: Checkpoint, network: nn.Module, arrays: list[np.ndarray]) -> list[list[float]]:
    images = torch.from_numpy(np.stack(arrays))  # uint8 [N, C, H, W]
    logits = network(checkpoint.preparation.inputs(images))
    rows: list[list[float]] = checkpoint.probabilities(logits).tolist()
    return rows


def _prediction(path: str, classes: tuple[str, ...], probabilities: list[float]) -> Prediction:
    confidence, label = max(zip(probabilities, classes, strict=True), key=lambda pair: pair[0])
    return Prediction(path, label, confidence, dict(zip(classes, probabilities, strict=True)))
