"""A second reading of what stands apart, each by itself: by the network for single digits.

That network is more accurate on single digits than the network for lines, which also finds them. The image of
a digit that touches others has parts of them, so it keeps its first reading. The two networks make different
errors: the product of their probabilities is right more often than either. Ink of a digit's size that the
network for lines left out is read as well, and may become an unsure digit.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_cli.image.normalize import normalize_digit
from cnn_cli.reading.likeliest import likeliest
from cnn_cli.reading.line_reader import CERTAIN, LineReader
from cnn_cli.reading.lines import FoundCharacter

LEAST_SHARE = 1e-4
"""Lower limit of each probability of the network for single digits, which may be wrong too."""

LEFT_OUT = 0.5
"""Ink that was left out becomes an unsure digit if the network for single digits is this confident, 0..1:
nobody notices that a digit is missing in the text."""

ANGLES = (0, 8, -8)
"""Degrees by which a digit is turned; the mean of the answers is right more often than one of them."""

MOST = 400
"""Upper limit of the digits that are read again, the least confident first: a page has any number of them."""


def read_digits_again(reader: LineReader, characters: Sequence[FoundCharacter]) -> list[FoundCharacter]:
    """Return the characters with the answers of both networks.

    The digits of a character keep the sum of their probabilities: only how it is divided among them changes.
    What was left out becomes an unsure digit or is removed.

    Args:
        reader: the network for lines, and that for single digits.
        characters: of a page.
    """
    asked = [number for number, each in enumerate(characters) if _is_asked(each)]
    again = list(characters)
    if asked:
        asked = sorted(asked, key=lambda number: characters[number].confidence)[:MOST]
        answers = _answers(reader, [characters[number].ink for number in asked])
        digits = [reader.classes.index(label) for label in reader.digit_reader.classes]
        for number, answer in zip(asked, answers, strict=True):
            again[number] = _with_answer(characters[number], answer, digits, reader.classes)
    return [each for each in again if each.label]


def _is_asked(character: FoundCharacter) -> bool:
    is_digit = character.label.isdigit() and character.confidence < CERTAIN
    is_left_out = not character.label and not character.is_edge
    return character.is_apart and (is_digit or is_left_out)


def _answers(reader: LineReader, inks: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Return the probabilities [N, 10] of the network for single digits."""
    network = reader.digit_reader
    turned = [
        np.asarray(Image.fromarray(ink).rotate(angle, Image.Resampling.BICUBIC, expand=True))
        for angle in ANGLES
        for ink in inks
    ]
    images = np.stack([normalize_digit(ink / np.float32(255)).pixels for ink in turned])[:, None]
    answers = network.probabilities(network.logits(network.pixels(images)))
    mean: NDArray[np.float64] = answers.reshape(len(ANGLES), len(inks), -1).mean(axis=0)
    return mean


def _with_answer(
    character: FoundCharacter, answer: NDArray[np.float64], digits: Sequence[int], classes: Sequence[str]
) -> FoundCharacter:
    """Return a character with the answer [10] of the network for single digits, `digits` of the classes."""
    probabilities = character.probabilities.copy()
    if character.label:
        product = probabilities[digits] * np.maximum(answer, LEAST_SHARE)
        probabilities[digits] = product * (probabilities[digits].sum() / product.sum())
    elif answer.max() >= LEFT_OUT:
        probabilities[digits] = answer / 2  # the mean of both: for the network for lines there is nothing
    else:
        return character
    label, confidence = likeliest(probabilities, classes)
    return replace(
        character, label=label, confidence=confidence, probabilities=probabilities, read_again=True
    )
