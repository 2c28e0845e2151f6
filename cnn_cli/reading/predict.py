"""Classify one digit (or photo) per image: files or bytes become labels with probabilities."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.hypotheses import Kind
from cnn_cli.image.pages import ImageFile
from cnn_cli.image.preprocess import NetworkInput, other_inputs
from cnn_cli.reading import html
from cnn_cli.reading.batches import preprocess_batches
from cnn_cli.reading.choice import Candidate, choose, is_enough
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
    """Whether the confidence, times the share of the ink that was taken for the digit, reaches the threshold.
    A digit that had to be turned is never confident."""
    source: ImageFile = field(default=b"", repr=False, compare=False)
    """The image's file, its content, or a page of either."""
    network_input: NetworkInput | None = field(default=None, repr=False, compare=False)
    """The network's input and, if asked for, its explanation."""
    candidates: tuple[Candidate, ...] = field(default=(), repr=False, compare=False)
    """The hypotheses that were tried, the first one first; none for a photo."""

    @property
    def hypothesis(self) -> Kind | None:
        """What was taken for the digit; None for a photo."""
        return self.network_input.kind if self.network_input else None

    @property
    def unsure(self) -> bool:
        """Whether the answer is not confident."""
        return not self.confident

    def _repr_html_(self) -> str:
        """Return the answer as a notebook shows it: what the network read, and its probabilities."""
        pixels = self.network_input.pixels if self.network_input else None
        return html.answer(self.label, self.unsure, self.probabilities, pixels)


@dataclass(frozen=True)
class _Answer:
    """A network input and what the network says to it."""

    network_input: NetworkInput
    label: str
    confidence: float
    probabilities: dict[str, float]

    @property
    def candidate(self) -> Candidate | None:
        """The hypothesis that was read; None for a photo."""
        read = self.network_input
        return None if read.kind is None else Candidate(read.kind, self.label, self.confidence, read.share)


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
        min_confidence: from this probability of its label on, times the share of the ink that was taken for
            the digit, an answer is confident, 0..1.
        explain: whether to add explanations to the network inputs.
    """
    with closing(preprocess_batches(images, reader.input_format, BATCH, explain)) as batches:
        for batch in batches:
            answers = iter(_answers(reader, [item for _, item in batch if isinstance(item, NetworkInput)]))
            for image, result in batch:
                if isinstance(image, ImageSource) and isinstance(result, NetworkInput):
                    yield _prediction_or_error(reader, image, next(answers), min_confidence, explain)
                elif isinstance(result, CnnError):
                    yield result


def _answers(reader: Reader, inputs: list[NetworkInput]) -> list[_Answer]:
    if not inputs:
        return []
    logits = reader.logits(reader.pixels(np.stack([each.pixels for each in inputs])))
    rows = reader.probabilities(logits).tolist()
    return [_answer(reader.classes, each, row) for each, row in zip(inputs, rows, strict=True)]


def _answer(classes: tuple[str, ...], network_input: NetworkInput, row: list[float]) -> _Answer:
    confidence, label = max(zip(row, classes, strict=True), key=lambda pair: pair[0])
    return _Answer(network_input, label, confidence, dict(zip(classes, row, strict=True)))


def _prediction_or_error(
    reader: Reader, image: ImageSource, first: _Answer, min_confidence: float, explain: bool
) -> Prediction | DataError:
    """Return the prediction from the first hypothesis or, if the network is not sure of it, from the best."""
    answers = [first]
    is_final = first.candidate is None or is_enough(first.candidate, first.network_input.reaches_border)
    if reader.knows_outliers and not is_final:
        try:
            answers += _answers(reader, other_inputs(image.source, name=image.name, explain=explain))
        except DataError as error:  # the file has changed since
            return error
    candidates = tuple(answer.candidate for answer in answers if answer.candidate)
    answer, confident = first, first.confidence >= min_confidence
    if candidates:
        taken = choose(candidates)
        answer, confident = answers[taken], candidates[taken].is_confident(min_confidence)
    return Prediction(
        path=image.name,
        label=answer.label,
        confidence=answer.confidence,
        probabilities=answer.probabilities,
        confident=confident,
        source=image.source,
        network_input=answer.network_input,
        candidates=candidates,
    )
