"""Classify one digit (or photo) per image: files or bytes become labels with probabilities."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.hypotheses import TURNS, Kind
from cnn_cli.image.pages import ImageFile
from cnn_cli.image.preprocess import NetworkInput, other_inputs
from cnn_cli.reading import html
from cnn_cli.reading.batches import preprocess_batches
from cnn_cli.reading.choice import ENOUGH, Candidate, choose
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
    """Whether the confidence reaches the threshold. A digit that had to be turned is never confident: many
    signs look like a digit from some side."""
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
        """Whether the confidence is below the threshold."""
        return not self.confident

    def _repr_html_(self) -> str:
        """Return the answer as a notebook shows it: what the network read, and its probabilities."""
        pixels = self.network_input.pixels if self.network_input else None
        return html.answer(self.label, self.unsure, self.probabilities, pixels)


@dataclass(frozen=True)
class _Answer:
    """A network input and what the network says to it."""

    network_input: NetworkInput
    probabilities: list[float]
    """One for each class."""

    @property
    def confidence(self) -> float:
        return max(self.probabilities)


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
    return list(map(_Answer, inputs, reader.probabilities(logits).tolist()))


def _prediction_or_error(
    reader: Reader, image: ImageSource, first: _Answer, min_confidence: float, explain: bool
) -> Prediction | DataError:
    """Return the prediction from the first hypothesis or, if the network is not sure of it, from the best."""
    answers = [first]
    if reader.knows_outliers and not _is_enough(first):
        try:
            answers += _answers(reader, other_inputs(image.source, name=image.name, explain=explain))
        except DataError as error:  # the file has changed since
            return error
    candidates = [_candidate(reader.classes, answer) for answer in answers if answer.network_input.kind]
    answer = answers[choose(candidates)] if len(candidates) > 1 else first
    confidence, label = max(zip(answer.probabilities, reader.classes, strict=True), key=lambda pair: pair[0])
    return Prediction(
        path=image.name,
        label=label,
        confidence=confidence,
        probabilities=dict(zip(reader.classes, answer.probabilities, strict=True)),
        confident=confidence >= min_confidence and answer.network_input.kind not in TURNS,
        source=image.source,
        network_input=answer.network_input,
        candidates=tuple(candidates),
    )


def _is_enough(first: _Answer) -> bool:
    """Return whether no other hypothesis has to be tried."""
    is_clear = first.confidence >= ENOUGH and not first.network_input.reaches_border
    return first.network_input.kind is None or is_clear


def _candidate(classes: tuple[str, ...], answer: _Answer) -> Candidate:
    assert answer.network_input.kind is not None
    label = classes[int(np.argmax(answer.probabilities))]
    return Candidate(answer.network_input.kind, label, answer.confidence)
