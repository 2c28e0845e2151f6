"""Reading a picture of many digits: rows of text, with a box and a confidence for each digit."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from cnn_cli.engine.checkpoint import Checkpoint
from cnn_cli.errors import CnnError, DataError
from cnn_cli.image.read import view
from cnn_cli.image.rows import find_rows, near_together, row_height
from cnn_cli.image.writing import Mark, find_writing
from cnn_cli.tools.pictures import Picture
from cnn_cli.tools.predict import Prediction, answers
from cnn_cli.tools.segments import SUREST, Segment, best_path, evidence, scores, segments_of

# The longer side of what is read, in pixels, at most: 40 digits in a row then have 30 pixels each.
MAX_SIDE = 1600

BATCH = 256
"""Segments that the network reads at once."""

# Every segment is read in its place and a pixel up, down, left and right of it: a digit reads the same, a
# part of one often does not. Of 100 strings pushed into each other, 55 came out right for 51.
SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in the picture's own pixels, right way up; right and bottom lie just outside."""


@dataclass(frozen=True)
class Digit:
    """One digit of a text."""

    label: str
    confidence: float
    """Probability of the label, 0..1."""
    box: Box
    row: int
    """From 0, top to bottom."""
    sure: bool = True
    """Whether the confidence reaches what was asked for."""


@dataclass(frozen=True)
class Text:
    """What a picture says: digits alone, without spaces, points, commas and signs."""

    path: str
    text: str
    """Rows from top to bottom, joined by newlines."""
    digits: tuple[Digit, ...]
    """In the order of the text."""


def read_texts(
    checkpoint: Checkpoint, pictures: Iterable[Picture | DataError], min_confidence: float = 0.0
) -> Iterator[Text | CnnError]:
    """Read each picture; one that cannot be read gives its error, in its place, and the others are read.

    Args:
        checkpoint: a network for ink.
        pictures: what is read.
        min_confidence: a digit is sure from this probability on, 0..1.

    Raises:
        DataError: the checkpoint contradicts itself, or its network is not one for ink.
    """
    if checkpoint.preparation.reading != "ink":
        raise DataError(
            "--many needs a network for handwriting, and this one reads whole pictures",
            hint="choose another with --checkpoint",
        )
    network = checkpoint.network()
    for picture in pictures:
        try:
            if isinstance(picture, CnnError):
                raise picture
            yield _judged(read_text(checkpoint, network, picture), min_confidence)
        except CnnError as error:
            yield error


def _judged(text: Text, min_confidence: float) -> Text:
    digits = (replace(digit, sure=digit.confidence >= min_confidence) for digit in text.digits)
    return replace(text, digits=tuple(digits))


def read_text(checkpoint: Checkpoint, network: nn.Module, picture: Picture) -> Text:
    """Read all digits of a picture, row by row. Where there is one digit, the answer is that of `predict`.

    Args:
        checkpoint: a network for ink.
        network: `checkpoint.network()`.
        picture: a file or its content.

    Raises:
        DataError: the picture cannot be read, or there is no ink in it.
    """
    seen = view(picture.source, name=picture.name, side=MAX_SIDE)
    grey, size = seen.grey, seen.size
    rows = find_rows(find_writing(grey))
    if not rows:
        return _one(checkpoint, network, picture, (0, 0, grey.shape[1], grey.shape[0]), size, grey.shape)
    read = _read_rows(checkpoint, network, rows)
    if len(read) == 1:
        return _one(checkpoint, network, picture, read[0][0].box, size, grey.shape)
    digits = tuple(
        Digit(label, confidence, _scaled(segment.box, size, grey.shape), row)
        for segment, label, confidence, row in read
    )
    lines = ["".join(digit.label for digit in digits if digit.row == row) for row in range(len(rows))]
    return Text(picture.name, "\n".join(lines), digits)


Read = tuple[Segment, str, float, int]
"""A segment, its label, the label's probability, its row."""


@dataclass(frozen=True)
class Candidates:
    """What one mark may be cut into, and what the network says of it."""

    segments: list[Segment]
    labels: list[str]
    """Of each segment the most probable class."""
    logits: np.ndarray
    """float64 [segments, C]."""
    row: int


def _read_rows(checkpoint: Checkpoint, network: nn.Module, rows: Sequence[Sequence[Mark]]) -> list[Read]:
    """Choose the best segments of every mark."""
    marks, usual = candidates(checkpoint, network, rows)
    read: list[Read] = []
    for mark in marks:
        score = scores(mark.segments, mark.logits, mark.labels, usual).tolist()
        probabilities = checkpoint.probabilities(torch.from_numpy(mark.logits)).amax(dim=1).tolist()
        read += [
            (mark.segments[index], mark.labels[index], probabilities[index], mark.row)
            for index in best_path(mark.segments, score, mark.labels)
        ]
    return read


def candidates(
    checkpoint: Checkpoint, network: nn.Module, rows: Sequence[Sequence[Mark]]
) -> tuple[list[Candidates], float]:
    """Let the network read all that may be a digit, together; and the evidence that a sure one has."""
    found = []
    for number, line in enumerate(rows):
        height = row_height(line)
        found += [(segments_of(mark, height), number) for mark in near_together(line, height)]
    logits = _logits(checkpoint, network, [segment.image for segments, _ in found for segment in segments])
    each = np.split(logits, np.cumsum([len(segments) for segments, _ in found])[:-1])
    marks = [
        Candidates(segments, [checkpoint.classes[best] for best in said.argmax(axis=1)], said, row)
        for (segments, row), said in zip(found, each, strict=True)
    ]
    return marks, float(np.percentile(evidence(logits), SUREST))


@torch.inference_mode()
def _logits(checkpoint: Checkpoint, network: nn.Module, images: Sequence[np.ndarray]) -> np.ndarray:
    """float64 [N, C] of uint8 [28, 28] each: the mean over all shifts."""
    pixels = torch.from_numpy(np.stack(images))[:, None]
    batches = []
    for part in torch.split(pixels, BATCH):
        inputs = checkpoint.preparation.inputs(part)
        shifted = [network(torch.roll(inputs, shift, dims=(2, 3))) for shift in SHIFTS]
        batches.append(torch.stack(shifted).double().mean(dim=0))
    logits: np.ndarray = torch.cat(batches).numpy()
    return logits


def _one(
    checkpoint: Checkpoint,
    network: nn.Module,
    picture: Picture,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
    shape: tuple[int, ...],
) -> Text:
    """The reading of a picture of one digit, by the way that is made for it."""
    (answer,) = answers(checkpoint, network, [picture])
    if isinstance(answer, CnnError):
        raise answer
    assert isinstance(answer, Prediction)
    digit = Digit(answer.label, answer.confidence, _scaled(box, size, shape), 0)
    return Text(picture.name, answer.label, (digit,))


def _scaled(box: tuple[float, float, float, float], size: tuple[int, int], shape: tuple[int, ...]) -> Box:
    """From the pixels that were read to those of the picture."""
    across, down = size[0] / shape[1], size[1] / shape[0]
    left, top, right, bottom = box
    return (
        max(0, int(left * across)),
        max(0, int(top * down)),
        min(size[0], -int(-right * across // 1)),
        min(size[1], -int(-bottom * down // 1)),
    )
