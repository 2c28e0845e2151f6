"""Classify one digit (or photo) per image: files or bytes become labels with probabilities."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.preprocess import NetworkInput
from cnn_cli.reading import html
from cnn_cli.reading.batches import Batch, preprocess_batches
from cnn_cli.reading.reader import Reader
from cnn_cli.reading.sources import ImageSource

BATCH = 64
"""Images per forward pass; their answers appear together."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one image."""

    path: str
    label: str
    confidence: float
    """Probability of the label, 0..1."""
    probabilities: dict[str, float]
    """The probability of every class, by name; they sum to 1."""
    confident: bool = True
    """Whether the confidence reaches the threshold."""
    source: Path | bytes = field(default=b"", repr=False, compare=False)
    """The image's file or its content."""
    network_input: NetworkInput | None = field(default=None, repr=False, compare=False)
    """The network's input and, if asked for, its explanation."""

    @property
    def unsure(self) -> bool:
        """Whether the confidence is below the threshold."""
        return not self.confident

    def _repr_html_(self) -> str:
        """Return the answer as a notebook shows it: what the network read, and its probabilities."""
        pixels = self.network_input.pixels if self.network_input else None
        return html.answer(self.label, self.unsure, self.probabilities, pixels)


def predict(
    reader: Reader,
    images: Iterable[ImageSource | DataError],
    min_confidence: float = 0.0,
    explain: bool = False,
) -> Iterator[Prediction | CnnError]:
    """Classify each image. One that cannot be read gives its error in its place, and the others continue.

    Args:
        reader: the network or ensemble.
        images: the images; an error keeps its place.
        min_confidence: from this probability of its label on, an answer is confident, 0..1.
        explain: whether to add explanations to the network inputs.
    """
    with closing(preprocess_batches(images, reader.input_format, BATCH, explain)) as batches:
        for batch in batches:
            yield from _predict_batch(reader, batch, min_confidence)


def _predict_batch(reader: Reader, batch: Batch, min_confidence: float) -> Iterator[Prediction | CnnError]:
    pixels = [result.pixels for _, result in batch if isinstance(result, NetworkInput)]
    rows = iter(_probabilities(reader, pixels)) if pixels else iter(())
    for image, result in batch:
        if isinstance(image, ImageSource) and isinstance(result, NetworkInput):
            yield _prediction(reader.classes, image, result, next(rows), min_confidence)
        elif isinstance(result, CnnError):
            yield result


def _probabilities(reader: Reader, pixels: list[np.ndarray]) -> list[list[float]]:
    logits = reader.logits(reader.pixels(np.stack(pixels)))
    rows: list[list[float]] = reader.probabilities(logits).tolist()
    return rows


def _prediction(
    classes: tuple[str, ...],
    image: ImageSource,
    network_input: NetworkInput,
    probabilities: list[float],
    min_confidence: float,
) -> Prediction:
    confidence, label = max(zip(probabilities, classes, strict=True), key=lambda pair: pair[0])
    return Prediction(
        path=image.name,
        label=label,
        confidence=confidence,
        probabilities=dict(zip(classes, probabilities, strict=True)),
        confident=confidence >= min_confidence,
        source=image.source,
        network_input=network_input,
    )
