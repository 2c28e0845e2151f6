"""Read an image with a network for lines: rows become strips, and the most convincing reading counts."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnn_cli.image.rows import find_rows
from cnn_cli.image.strips import Strip, strip_of_row, strips_of_one_line
from cnn_cli.image.text_components import MOST, Component, TextInk, find_text
from cnn_cli.reading.boxes import Box, boxes_of, cuts_between, ink_of, is_beside, left_out_boxes, stand_apart
from cnn_cli.reading.columns import ColumnCharacter
from cnn_cli.reading.likeliest import by_height, likeliest, without_slash
from cnn_cli.reading.line_reader import LineReader

COLUMNS = 60_000
"""Upper limit of the columns of an image's strips: 40 lines of 60 digits. Noise has any number of rows."""

TRIED_COLUMNS = 5_000
"""The same to find out which tone is ink, and how a page is turned."""

REPEATED_COLUMNS = 6_000
"""Up to this number of columns, unsure strips are read again; a page of text is read once."""

MAYBE_ONE = 6
"""Up to this number of rows may be one line: gaps divide the digits of a display into rows of their parts."""

POWER = 10
"""The power of the mean confidence by which the evidence of readings is weighted: parts of digits give more
characters than the digits, but unsure ones."""

MOST_WITHOUT = 25
"""Rows without a digit after which the rest of a page is not read."""

LEAST = 0.5
"""A row counts only if a digit in it has at least this confidence."""

BESIDE = 0.9
"""A 1 beside the components of its row needs this confidence: edges of displays and pages resemble a 1."""

CUT = 0.7
"""Share of its probability that a character keeps that a strip's end cuts: another may have it whole."""

TALL = 1.5
"""A 1 at the end of a row that is higher than this (1 = the digits' median height) is an edge, even if it is
confident."""

UNLIKELY = 0.8
"""Below this mean confidence of the digits, the other tone is tried as ink, and a page is turned to where the
evidence is greatest."""

UPRIGHT_ENOUGH, TURNED_ENOUGH = 0.97, 0.9
"""Below the first mean confidence of the digits, turned readings are tried; one counts from the second on."""

CONFIDENT = 0.9
"""A digit of more confidence speaks for how a page is turned: many digits resemble another one that is upside
down, but less than they resemble themselves."""

TURNED_MARGIN = 0.4
"""How much more a turned page must have of that than one that is likely as it is: most pages are upright, and
the digits of a display are digits upside down, too."""


@dataclass(frozen=True)
class FoundCharacter:
    """A character that was read in an image."""

    label: str
    """Empty for what was left out: what may be a digit, and a 1 that was taken for an edge."""
    confidence: float
    """0 for what was not read."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels of the image that was read."""
    row: int
    """From 0, top to bottom."""
    ink: np.ndarray
    """What was read: uint8 [h, w], a part of a strip."""
    probabilities: np.ndarray
    """[K], of the reader's classes."""
    is_apart: bool
    """Whether there is no ink between it and its neighbors."""
    read_again: bool = False
    """Whether the network for single digits has read it as well."""

    @property
    def is_edge(self) -> bool:
        """Whether it was read as a 1, and left out as the edge of a display, a frame or a page."""
        return not self.label and self.confidence > 0


@dataclass(frozen=True)
class Reading:
    """What was read in an image, turned or as it is."""

    characters: tuple[FoundCharacter, ...]
    turns: int = 0
    """Quarter turns, counterclockwise, that the image was turned by."""
    unread: int = 0
    """Rows beyond the limit of what is read of an image: those with the least ink."""

    @property
    def evidence(self) -> float:
        """How much the network found: confident characters count for it, unsure ones against it."""
        return sum(each.confidence - LEAST for each in self.characters if each.label)

    @property
    def margin(self) -> float:
        """By how much the digits are more confident than `CONFIDENT`, as a sum over all of them."""
        return sum(each.confidence - CONFIDENT for each in self.characters if each.label.isdigit())

    @property
    def weighted_evidence(self) -> float:
        """The evidence, of less weight if digits are unsure."""
        return self.evidence * self.mean_confidence**POWER

    @property
    def mean_confidence(self) -> float:
        """Of the digits, 0..1; 0 without any. A reading is no more convincing for taking a 1 for an edge."""
        digits = [each.confidence for each in self.characters if each.label.isdigit()]
        edges = [each.confidence for each in self.characters if each.is_edge]
        return sum(digits + edges) / len(digits + edges) if digits else 0.0


def read_page(reader: LineReader, gray: np.ndarray) -> Reading:
    """Read an image; if that is not convincing, also with the other tone as ink, and turned by quarters.

    Args:
        reader: the network.
        gray: luminance, float32 [H, W], 0..255.
    """
    texts = list(find_text(gray))
    upright = _best_reading(reader, texts, COLUMNS)
    if len(texts[0].components) == MOST:
        return upright
    if upright.mean_confidence < UNLIKELY:
        inverse = list(find_text(gray, light_ink=not texts[0].ink_is_light))
        tried = _best_reading(reader, inverse, TRIED_COLUMNS)
        if tried.evidence > upright.evidence and tried.mean_confidence > upright.mean_confidence:
            upright = _best_reading(reader, inverse, COLUMNS) if tried.unread else tried
            texts = inverse
    if upright.mean_confidence >= UPRIGHT_ENOUGH:
        return upright
    tries = {
        turns: _best_reading(reader, [text.turned(turns) for text in texts[-1:]], TRIED_COLUMNS)
        for turns in (0, 2, 1, 3)
    }
    turns = _turns(upright, tries)
    if not turns or tries[turns].mean_confidence < TURNED_ENOUGH:
        return upright
    turned = list(find_text(np.ascontiguousarray(np.rot90(gray, turns))))
    return replace(_best_reading(reader, turned, COLUMNS), turns=turns)


def _turns(upright: Reading, tries: dict[int, Reading]) -> int:
    """Return by how many quarters a page is turned, given the best reading of it for each number of them."""
    if upright.mean_confidence < UNLIKELY:
        return max(tries, key=lambda turns: tries[turns].evidence)
    turns = max(tries, key=lambda turns: tries[turns].margin)
    most = max(upright.margin, tries[0].margin) + TURNED_MARGIN, max(upright.evidence, tries[0].evidence)
    return turns if tries[turns].margin >= most[0] and tries[turns].evidence >= most[1] else 0


def _best_reading(reader: LineReader, texts: Sequence[TextInk], columns: int) -> Reading:
    """Return the reading with the most weighted evidence, of all texts, as rows and as one line.

    Args:
        reader: the network.
        texts: what may be text: with ruled lines and without, with frames and without.
        columns: upper limit of the columns of the strips of a text.
    """
    readings = [Reading(())]
    for text in texts:
        rows = find_rows(text.components)
        strips = _strips(text, rows, reader.height, columns)
        readings.append(Reading(tuple(_read(reader, strips)), unread=len(rows) - len(strips)))
        if 0 < len(rows) <= MAYBE_ONE:
            single = strips_of_one_line(text, reader.height)
            readings += [Reading(tuple(_read(reader, [strip]))) for strip in single]
    return max(readings, key=lambda reading: reading.weighted_evidence)


def _strips(text: TextInk, rows: Sequence[Sequence[Component]], height: int, columns: int) -> list[Strip]:
    """Return the strips of the rows, from top to bottom; of too many rows, those with most ink."""
    ink = [sum(float(each.ink.sum()) for each in row) for row in rows]
    strips: dict[int, Strip] = {}
    for number in sorted(range(len(rows)), key=lambda number: -ink[number]):
        strips[number] = strip_of_row(text.ink, rows[number], height)
        columns -= strips[number].pixels.shape[1]
        if columns < 0:
            break
    return [strips[number] for number in sorted(strips)]


def _read(reader: LineReader, strips: Sequence[Strip]) -> Iterator[FoundCharacter]:
    """Yield the characters of the strips; if the first strips have no digit, the others are not read."""
    row, again = 0, sum(strip.pixels.shape[1] for strip in strips) <= REPEATED_COLUMNS
    for number, strip in enumerate(strips):
        if not row and number == MOST_WITHOUT:
            break
        found = _read_strip(reader, strip, row, again=again)
        yield from found
        row += bool(found)


def _read_strip(reader: LineReader, strip: Strip, row: int, *, again: bool) -> list[FoundCharacter]:
    """Return the characters of a strip; none without a digit that is likely enough."""
    everything = reader.read(strip.pixels, again=again)
    are_edges = [_is_edge(*each, strip, reader.classes) for each in everything]
    read = [each for each, is_edge in zip(everything, are_edges, strict=True) if not is_edge]
    edges = [each for each, is_edge in zip(everything, are_edges, strict=True) if is_edge]
    if not read:
        return []
    columns = [each for _, each in read]
    cuts = cuts_between(strip.pixels, columns)
    boxes, apart = boxes_of(strip.pixels, columns, cuts), stand_apart(strip.pixels, cuts)
    given = _given_heights([character.probabilities for character, _ in read], boxes, reader.classes)
    found = []
    for probabilities, box, is_apart in zip(given, boxes, apart, strict=True):
        if box[0] == 0 or box[2] == strip.pixels.shape[1]:
            probabilities = CUT * probabilities
        label, confidence = likeliest(probabilities, reader.classes)
        place = strip.box(*box), row, ink_of(strip.pixels, box)
        found.append(FoundCharacter(label, confidence, *place, probabilities, is_apart))
    found = _without_tall_ones(found)
    if not any(each.label.isdigit() and each.confidence >= LEAST for each in found):
        return []
    left_out = [(box, 0.0) for box in left_out_boxes(strip.pixels, columns)]
    left_out += [((left, 0, right, reader.height), each.confidence) for each, (left, right) in edges]
    nothing = np.zeros(len(reader.classes))
    found += [
        FoundCharacter("", confidence, strip.box(*box), row, ink_of(strip.pixels, box), nothing, True)
        for box, confidence in left_out
    ]
    return sorted(found, key=lambda each: each.box[0] + each.box[2])


def _is_edge(
    character: ColumnCharacter, columns: tuple[int, int], strip: Strip, classes: Sequence[str]
) -> bool:
    """Return whether a character is the edge of a display or a page: an unsure 1 beside the row."""
    is_unsure_one = classes[character.best] == "1" and character.confidence < BESIDE
    return is_unsure_one and is_beside(strip.pixels, sum(columns) / 2)


def _given_heights(
    read: Sequence[np.ndarray], boxes: Sequence[Box], classes: Sequence[str]
) -> list[np.ndarray]:
    """Return the probabilities of each character of a row, given how high it is beside the digits."""
    if len(read) == 1:
        return [without_slash(read[0], classes)]
    heights = np.array([box[3] - box[1] for box in boxes])
    is_digit = np.array([classes[int(each.argmax())].isdigit() for each in read])
    given = []
    for number, probabilities in enumerate(read):
        others = is_digit & (np.arange(len(read)) != number)
        if others.any():
            height = float(heights[number] / np.quantile(heights[others], 0.75))
            probabilities = by_height(probabilities, height, classes)
        given.append(probabilities)
    return given


def _without_tall_ones(found: list[FoundCharacter]) -> list[FoundCharacter]:
    """Return the characters of a row, the edges of a frame at its ends left out."""
    heights = [each.box[3] - each.box[1] for each in found]
    digits = [height for each, height in zip(found, heights, strict=True) if each.label.isdigit()]
    tall = TALL * float(np.median(digits)) if digits else math.inf
    ends = {0, len(found) - 1}
    return [
        replace(each, label="") if number in ends and each.label == "1" and height > tall else each
        for number, (each, height) in enumerate(zip(found, heights, strict=True))
    ]


def unturned(
    box: tuple[float, float, float, float], turns: int, shape: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return a box of an image that was turned, in the image as it is.

    Args:
        box: left, top, right, bottom in the turned image.
        turns: quarter turns, counterclockwise.
        shape: height and width of the image as it is.
    """
    height, width = shape
    left, top, right, bottom = box
    if turns == 1:
        return width - bottom, left, width - top, right
    if turns == 2:
        return width - right, height - bottom, width - left, height - top
    if turns == 3:
        return top, height - right, bottom, height - left
    return box
