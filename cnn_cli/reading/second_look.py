"""A second look at digits that stand apart, each by itself: by the network for single digits.

It knows single digits better than the network for lines, which has to find them too. Digits that touch would
show it parts of their neighbors, so those keep their reading. The two networks make different errors: the
product of their probabilities is right more often than either.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cnn_cli.image.normalize import normalize_digit
from cnn_cli.reading.line_reader import CERTAIN, LineReader
from cnn_cli.reading.lines import FoundCharacter, likeliest

LEAST_SHARE = 1e-4
"""A digit counts as at least this probable for the network for single digits: it may be wrong too."""

MOST = 400
"""Up to this number of digits are looked at, those that are least certain: a page has any number."""


def look_again(reader: LineReader, characters: Sequence[FoundCharacter]) -> list[FoundCharacter]:
    """Return the characters, uncertain digits with the probabilities of both networks.

    The digits of a character keep the sum of their probabilities: only how it is divided among them changes.

    Args:
        reader: the network for lines, and that for single digits.
        characters: of a page.
    """
    asked = [
        number
        for number, each in enumerate(characters)
        if each.is_apart and each.label.isdigit() and each.confidence < CERTAIN
    ]
    if not asked:
        return list(characters)
    asked = sorted(asked, key=lambda number: characters[number].confidence)[:MOST]
    network = reader.digit_reader
    inks = [characters[number].ink / np.float32(255) for number in asked]
    images = np.stack([normalize_digit(ink).pixels for ink in inks])[:, None]
    answers = network.probabilities(network.logits(network.pixels(images)))
    digits = [reader.classes.index(label) for label in network.classes]
    again = list(characters)
    for number, answer in zip(asked, answers, strict=True):
        probabilities = characters[number].probabilities.copy()
        product = probabilities[digits] * np.maximum(answer, LEAST_SHARE)
        probabilities[digits] = product * (probabilities[digits].sum() / product.sum())
        label, confidence = likeliest(probabilities, reader.classes)
        again[number] = replace(
            characters[number],
            label=label,
            confidence=confidence,
            probabilities=probabilities,
            looked_again=True,
        )
    return again
