"""Reading an image of several digits: rows of text, with a box and a confidence for each digit."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.decode import View, view
from cnn_cli.image.preprocess import NetworkInput
from cnn_cli.image.rows import find_rows, near_together, row_height
from cnn_cli.image.text_components import Component, find_components
from cnn_cli.reading.predict import Prediction, predict
from cnn_cli.reading.reader import Reader
from cnn_cli.reading.segments import SUREST, Segment, best_path, evidence, scores, segments_of
from cnn_cli.reading.sources import ImageSource

MAX_SIDE = 1600
"""Upper limit of the longer side of what is read, in pixels: 40 digits in a row then have 30 pixels each."""

BATCH = 256
"""Segments that the network reads at once."""

SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
"""Rows and columns by which each segment is shifted for its five readings. A digit reads the same, a part of a
digit often does not: of 100 strings of overlapping digits 55 were right instead of 51."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in the image's own pixels, right way up; right and bottom lie just outside."""


@dataclass(frozen=True)
class Digit:
    """One digit of a text."""

    label: str
    confidence: float
    """Probability of the label, 0..1."""
    box: Box
    row: int
    """From 0, top to bottom."""
    confident: bool = True
    """Whether the confidence reaches the threshold that was asked for."""
    pixels: np.ndarray | None = field(default=None, repr=False, compare=False)
    """What the network read, uint8 [C, H, W]."""


@dataclass(frozen=True)
class ImageText:
    """The text of an image: digits alone, without spaces, points, commas and signs."""

    path: str
    text: str
    """Rows from top to bottom, joined by newlines."""
    digits: tuple[Digit, ...]
    """In the order of the text."""
    source: Path | bytes = field(default=b"", repr=False, compare=False)
    """The image's file or its content."""


def read_texts(
    reader: Reader, images: Iterable[ImageSource | DataError], min_confidence: float = 0.0
) -> Iterator[ImageText | CnnError]:
    """Read each image. One that cannot be read gives its error, in its place; the others are read.

    Args:
        reader: a reader of digits.
        images: what is read.
        min_confidence: a digit is confident from this probability on, 0..1.

    Raises:
        DataError: the reader's network reads photos.
    """
    if reader.preprocessing.kind != "digit":
        raise DataError(
            "cnn read needs a network for digits, and this one reads photos",
            hint="choose another with --checkpoint",
        )
    for image in images:
        try:
            if isinstance(image, CnnError):
                raise image
            yield read_text(reader, image, min_confidence)
        except CnnError as error:
            yield error


def read_text(reader: Reader, image: ImageSource, min_confidence: float = 0.0) -> ImageText:
    """Read all digits of an image, row by row. Where there is one digit, the answer is that of `predict`.

    Args:
        reader: a reader of digits.
        image: a file or its content.
        min_confidence: a digit is confident from this probability on, 0..1.

    Raises:
        DataError: the image cannot be read, or there is no ink in it.
    """
    page = view(image.source, name=image.name, side=MAX_SIDE)
    rows = find_rows(find_components(page.gray))
    choices = _read_rows(reader, rows) if rows else []
    if len(choices) < 2:
        whole = (0.0, 0.0, float(page.gray.shape[1]), float(page.gray.shape[0]))
        digits: tuple[Digit, ...] = (
            _single_digit(reader, image, page, choices[0].segment.box if choices else whole, min_confidence),
        )
    else:
        digits = tuple(
            Digit(
                choice.label,
                choice.confidence,
                _scaled(choice.segment.box, page),
                choice.row,
                choice.confidence >= min_confidence,
                choice.segment.image[None],
            )
            for choice in choices
        )
    lines = ["".join(digit.label for digit in digits if digit.row == row) for row in range(max(1, len(rows)))]
    return ImageText(image.name, "\n".join(lines), digits, image.source)


@dataclass(frozen=True)
class Choice:
    """A segment that was chosen as a digit."""

    segment: Segment
    label: str
    confidence: float
    row: int


@dataclass(frozen=True)
class Candidates:
    """The segments that one component may be cut into, and the network's logits for them."""

    segments: list[Segment]
    labels: list[str]
    """The most probable class of each segment."""
    logits: np.ndarray
    """float64 [segments, C]."""
    row: int


def _read_rows(reader: Reader, rows: Sequence[Sequence[Component]]) -> list[Choice]:
    """Choose the best segments of every component."""
    components, typical_evidence = candidates(reader, rows)
    choices: list[Choice] = []
    for component in components:
        score = scores(component.segments, component.logits, component.labels, typical_evidence).tolist()
        probabilities = reader.probabilities(component.logits).max(axis=1).tolist()
        choices += [
            Choice(component.segments[index], component.labels[index], probabilities[index], component.row)
            for index in best_path(component.segments, score, component.labels)
        ]
    return choices


def candidates(reader: Reader, rows: Sequence[Sequence[Component]]) -> tuple[list[Candidates], float]:
    """Let the network read every segment that may be a digit, and return the evidence of a confident one."""
    found = []
    for number, row in enumerate(rows):
        height = row_height(row)
        found += [(segments_of(component, height), number) for component in near_together(row, height)]
    logits = _logits(reader, [segment.image for segments, _ in found for segment in segments])
    parts = np.split(logits, np.cumsum([len(segments) for segments, _ in found])[:-1])
    components = [
        Candidates(segments, [reader.classes[best] for best in part.argmax(axis=1)], part, row)
        for (segments, row), part in zip(found, parts, strict=True)
    ]
    return components, float(np.percentile(evidence(logits), SUREST))


def _logits(reader: Reader, images: Sequence[np.ndarray]) -> np.ndarray:
    """Return float64 [N, C] of N images uint8 [28, 28]: the mean over all shifts."""
    stacked = np.stack(images)[:, None]
    batches = []
    for start in range(0, len(stacked), BATCH):
        pixels = reader.pixels(stacked[start : start + BATCH])
        shifted = [reader.logits(np.roll(pixels, shift, axis=(2, 3))) for shift in SHIFTS]
        batches.append(np.mean(shifted, axis=0, dtype=np.float64))
    return np.concatenate(batches)


def _single_digit(
    reader: Reader, image: ImageSource, page: View, box: tuple[float, ...], min_confidence: float
) -> Digit:
    """Read an image of one digit as `predict` does."""
    (answer,) = predict(reader, [image], min_confidence)
    if isinstance(answer, CnnError):
        raise answer
    return _digit(answer, _scaled(box, page))


def _digit(answer: Prediction, box: Box) -> Digit:
    assert isinstance(answer.network_input, NetworkInput)
    pixels = answer.network_input.pixels
    return Digit(answer.label, answer.confidence, box, 0, answer.confident, pixels)


def _scaled(box: tuple[float, ...], page: View) -> Box:
    """Convert from the pixels that were read to those of the image."""
    across, down = page.size[0] / page.gray.shape[1], page.size[1] / page.gray.shape[0]
    left, top, right, bottom = box
    return (
        max(0, int(left * across)),
        max(0, int(top * down)),
        min(page.size[0], -int(-right * across // 1)),
        min(page.size[1], -int(-bottom * down // 1)),
    )
