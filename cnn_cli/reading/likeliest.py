"""What a character is read as: digits and signs resemble each other, above all 1 and `/`."""

from collections.abc import Sequence

import numpy as np

MAYBE_DIGIT = 0.2
"""A sign may be a digit, and is an unsure digit, if all digits together have at least this probability."""

SLASHES = 3.0
"""A 1 is as confident as if slashes were this many times as common: those of other hands resemble a 1 more
than the ones that the network learned."""

HIGHER = 1.07
"""At this height a character is as likely a slash as a 1 (1 = the third quartile of the heights of the row's
other digits). Of composed lines for validation, nine 1s in ten are below 1.09, nine slashes in ten above."""

STEEPNESS, MOST_ODDS = 12.0, 10.0
"""How the odds of a slash change with its height: e to this power for a height of 1, within these odds."""


def by_height(probabilities: np.ndarray, height: float, classes: Sequence[str]) -> np.ndarray:
    """Return the probabilities of a character given its height: a slash reaches above and below the digits.

    The network takes in little beside a character, so it hardly knows how high the digits are.

    Args:
        probabilities: [K], of the classes.
        height: of the character (1 = the height of the higher digits in its row).
        classes: the labels of digits and signs.
    """
    if "/" not in classes:
        return probabilities
    pair = [classes.index("1"), classes.index("/")]
    odds = np.clip(np.exp(STEEPNESS * (height - HIGHER)), 1 / MOST_ODDS, MOST_ODDS)
    weighted = probabilities[pair] * (1.0, odds)
    given = probabilities.copy()
    if weighted.all():
        given[pair] = weighted * (probabilities[pair].sum() / weighted.sum())
    return given


def without_slash(probabilities: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the probabilities of a character that stands alone: a slash would stand between digits."""
    without = probabilities.copy()
    if "/" in classes:
        without[classes.index("1")] += without[classes.index("/")]
        without[classes.index("/")] = 0
    return without


def likeliest(probabilities: np.ndarray, classes: Sequence[str]) -> tuple[str, float]:
    """Return what a character is read as, and the probability of that; less for a 1 that may be a slash.

    A sign that may be a digit is an unsure digit.

    Args:
        probabilities: [K], of the classes.
        classes: the labels of digits and signs.
    """
    digits = np.array([label.isdigit() for label in classes])
    best = int(probabilities.argmax())
    if not digits[best] and float(probabilities[digits].sum()) >= MAYBE_DIGIT:
        best = int(np.where(digits, probabilities, -1).argmax())
    confidence = float(probabilities[best])
    if classes[best] == "1" and "/" in classes:
        slash = SLASHES * float(probabilities[classes.index("/")])
        confidence *= confidence / (confidence + slash)
    return classes[best], confidence
