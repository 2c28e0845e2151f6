"""Read an image of several digits: rows of text, with a box and a confidence for each digit."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.decode import DecodedImage, decode
from cnn_cli.image.pages import ImageFile
from cnn_cli.image.preprocess import NetworkInput
from cnn_cli.image.rows import find_rows, merge_close, row_height
from cnn_cli.image.text_components import Component, find_components
from cnn_cli.reading import html
from cnn_cli.reading.predict import predict
from cnn_cli.reading.reader import Reader
from cnn_cli.reading.segments import TYPICAL_PERCENTILE, Segment, best_path, evidence, scores, segments_of
from cnn_cli.reading.sources import ImageSource

MAX_SIDE = 1600
"""Upper limit of a decoded image's longer side in pixels: each of 40 digits in a row then has 30 pixels."""

BATCH = 256
"""Segments per forward pass."""

SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))
"""Rows and columns by which each segment is shifted; the logits are averaged. A shifted digit gives the same
answer, a shifted part of a digit often does not: 55 of 100 overlapping strings were right, not 51."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the upright image; right and bottom lie just outside."""


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
    """Whether the confidence reaches the threshold."""
    pixels: np.ndarray | None = field(default=None, repr=False, compare=False)
    """The network's input, uint8 [C, H, W]."""

    @property
    def unsure(self) -> bool:
        """Whether the confidence is below the threshold."""
        return not self.confident


@dataclass(frozen=True)
class Line:
    """One line of a text."""

    digits: tuple[Digit, ...]
    """From left to right; at least one."""

    @property
    def text(self) -> str:
        """The digits without spaces."""
        return "".join(digit.label for digit in self.digits)

    @property
    def box(self) -> Box:
        """The box around all digits."""
        lefts, tops, rights, bottoms = zip(*(digit.box for digit in self.digits), strict=True)
        return min(lefts), min(tops), max(rights), max(bottoms)


@dataclass(frozen=True)
class ImageText:
    """The text of an image: digits only, without spaces, points, commas and signs."""

    path: str
    text: str
    """Rows from top to bottom, joined by newlines."""
    digits: tuple[Digit, ...]
    """In the order of the text."""
    source: ImageFile = field(default=b"", repr=False, compare=False)
    """The image's file, its content, or a page of either."""

    @property
    def confident(self) -> bool:
        """Whether every digit reaches the threshold that was asked for."""
        return all(digit.confident for digit in self.digits)

    @property
    def unsure(self) -> bool:
        """Whether a digit is below the threshold."""
        return not self.confident

    @property
    def lines(self) -> tuple[Line, ...]:
        """The rows, from top to bottom."""
        return tuple(Line(tuple(digits)) for _, digits in groupby(self.digits, lambda digit: digit.row))

    def _repr_html_(self) -> str:
        """Return the text as a notebook shows it: a line for each row, what the network read above it."""
        rows = [[(digit.label, digit.unsure, digit.pixels) for digit in line.digits] for line in self.lines]
        return html.text(rows)


def read_texts(
    reader: Reader, images: Iterable[ImageSource | DataError], min_confidence: float = 0.0
) -> Iterator[ImageText | CnnError]:
    """Read each image. One that cannot be read gives its error in its place, and the others continue.

    Args:
        reader: a network or ensemble for digits.
        images: the images; an error keeps its place.
        min_confidence: from this probability on, a digit is confident, 0..1.

    Raises:
        DataError: the network is for photos.
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
    """Read all digits of an image, row by row. For an image of one digit, the answer is that of `predict`.

    Args:
        reader: a network or ensemble for digits.
        image: a file or its content.
        min_confidence: from this probability on, a digit is confident, 0..1.

    Raises:
        DataError: the image cannot be read, or there is no ink in it.
    """
    decoded = decode(image.source, name=image.printable_name, max_side=MAX_SIDE)
    rows = find_rows(find_components(decoded.gray))
    chosen = _choose_segments(reader, rows) if rows else []
    if len(chosen) < 2:
        height, width = decoded.gray.shape
        box = chosen[0].segment.box if chosen else (0, 0, width, height)
        digits: tuple[Digit, ...] = (_single_digit(reader, image, _scaled(box, decoded), min_confidence),)
    else:
        digits = tuple(_digit(choice, decoded, min_confidence) for choice in chosen)
    lines = ["".join(digit.label for digit in digits if digit.row == row) for row in range(max(1, len(rows)))]
    return ImageText(image.name, "\n".join(lines), digits, image.source)


@dataclass(frozen=True)
class SegmentedComponent:
    """The segments that one component may be cut into, and the network's answers for them."""

    segments: list[Segment]
    labels: list[str]
    """The most probable class of each segment."""
    logits: np.ndarray
    """float64 [segments, C]."""
    row: int


@dataclass(frozen=True)
class _Choice:
    """A segment that was chosen as a digit."""

    segment: Segment
    label: str
    confidence: float
    row: int


def _choose_segments(reader: Reader, rows: Sequence[Sequence[Component]]) -> list[_Choice]:
    """Choose the best segments of every component."""
    components, typical_evidence = segment_components(reader, rows)
    choices: list[_Choice] = []
    for component in components:
        score = scores(component.segments, component.logits, component.labels, typical_evidence).tolist()
        probabilities = reader.probabilities(component.logits).max(axis=1).tolist()
        choices += [
            _Choice(component.segments[index], component.labels[index], probabilities[index], component.row)
            for index in best_path(component.segments, score, component.labels)
        ]
    return choices


def segment_components(
    reader: Reader, rows: Sequence[Sequence[Component]]
) -> tuple[list[SegmentedComponent], float]:
    """Classify every segment that may be a digit; also return the evidence of a typical digit."""
    segmented: list[tuple[list[Segment], int]] = []
    for number, row in enumerate(rows):
        height = row_height(row)
        segmented += [(segments_of(component, height), number) for component in merge_close(row, height)]
    logits = _logits(reader, [segment.pixels for segments, _ in segmented for segment in segments])
    parts = np.split(logits, np.cumsum([len(segments) for segments, _ in segmented])[:-1])
    components = [
        SegmentedComponent(segments, [reader.classes[best] for best in part.argmax(axis=1)], part, row)
        for (segments, row), part in zip(segmented, parts, strict=True)
    ]
    return components, float(np.percentile(evidence(logits), TYPICAL_PERCENTILE))


def _logits(reader: Reader, images: Sequence[np.ndarray]) -> np.ndarray:
    """Return float64 [N, C] for N images uint8 [28, 28]: the mean over all shifts."""
    stacked = np.stack(images)[:, None]
    batches = []
    for start in range(0, len(stacked), BATCH):
        pixels = reader.pixels(stacked[start : start + BATCH])
        shifted = [reader.logits(np.roll(pixels, shift, axis=(2, 3))) for shift in SHIFTS]
        batches.append(np.mean(shifted, axis=0, dtype=np.float64))
    return np.concatenate(batches)


def _digit(choice: _Choice, decoded: DecodedImage, min_confidence: float) -> Digit:
    box, confident = _scaled(choice.segment.box, decoded), choice.confidence >= min_confidence
    return Digit(choice.label, choice.confidence, box, choice.row, confident, choice.segment.pixels[None])


def _single_digit(reader: Reader, image: ImageSource, box: Box, min_confidence: float) -> Digit:
    """Read an image of one digit as `predict` does."""
    (answer,) = predict(reader, [image], min_confidence)
    if isinstance(answer, CnnError):
        raise answer
    assert isinstance(answer.network_input, NetworkInput)
    pixels = answer.network_input.pixels
    return Digit(answer.label, answer.confidence, box, 0, answer.confident, pixels)


def _scaled(box: tuple[float, ...], decoded: DecodedImage) -> Box:
    """Convert a box from pixels of the decoded image to pixels of the original."""
    across, down = decoded.size[0] / decoded.gray.shape[1], decoded.size[1] / decoded.gray.shape[0]
    left, top, right, bottom = box
    return (
        max(0, int(left * across)),
        max(0, int(top * down)),
        min(decoded.size[0], -int(-right * across // 1)),
        min(decoded.size[1], -int(-bottom * down // 1)),
    )
