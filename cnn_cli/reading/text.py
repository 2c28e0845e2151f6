"""Read an image of several digits: rows of text, with a box and a confidence for each digit."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.decode import DecodedImage, decode
from cnn_cli.image.preprocess import NetworkInput
from cnn_cli.image.rows import find_rows, merge_close, row_height
from cnn_cli.image.text_components import Component, find_components
from cnn_cli.reading.image_text import Box, Digit, ImageText
from cnn_cli.reading.line_reader import LineReader
from cnn_cli.reading.lines import read_page, unturned
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


def read_texts(
    reader: Reader | LineReader,
    images: Iterable[ImageSource | DataError],
    min_confidence: float = 0.0,
    *,
    signs: bool = False,
) -> Iterator[ImageText | CnnError]:
    """Read each image. One that cannot be read gives its error in its place, and the others continue.

    Args:
        reader: a network for lines, or a network or ensemble for digits.
        images: the images; an error keeps its place.
        min_confidence: from this probability on, a digit is confident, 0..1.
        signs: whether the signs that a network for lines reads are part of the text.

    Raises:
        DataError: the network is for photos, or is asked for signs that it does not read.
    """
    if isinstance(reader, Reader) and signs:
        raise DataError(
            "--signs needs a network for lines", hint="cnn train --config line.yaml, then --checkpoint"
        )
    if isinstance(reader, Reader) and reader.preprocessing.kind != "digit":
        raise DataError(
            "cnn read needs a network for digits, and this one reads photos",
            hint="choose another with --checkpoint",
        )
    for image in images:
        try:
            if isinstance(image, CnnError):
                raise image
            yield (
                read_text(reader, image, min_confidence)
                if isinstance(reader, Reader)
                else read_lines(reader, image, min_confidence, signs=signs)
            )
        except CnnError as error:
            yield error


def read_lines(
    reader: LineReader, image: ImageSource, min_confidence: float = 0.0, *, signs: bool = False
) -> ImageText:
    """Read all digits of an image, row by row, with a network for lines.

    Args:
        reader: the network.
        image: a file or its content.
        min_confidence: from this probability on, a digit is confident, 0..1.
        signs: whether signs are part of the text.

    Raises:
        DataError: the image cannot be read, or there are no digits in it.
    """
    decoded = decode(image.source, name=image.printable_name, max_side=MAX_SIDE)
    page = read_page(reader, decoded.gray)
    shape = (decoded.gray.shape[0], decoded.gray.shape[1])
    digits = [
        Digit(
            each.label,
            each.confidence,
            _scaled(unturned(each.box, page.turns, shape), decoded),
            each.row,
            each.confidence >= min_confidence,
            each.pixels[None],
        )
        for each in page.characters
        if signs or each.label.isdigit()
    ]
    if not digits:
        raise DataError(
            f"{image.printable_name}: no digits", hint="name an image of digits, or a larger part"
        )
    return ImageText(image.name, tuple(digits), image.source, 90 * page.turns)


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
    return ImageText(image.name, digits, image.source)


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
