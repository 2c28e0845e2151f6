"""The most frequent mistakes in a confusion matrix, for data with too many classes to show all of it."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_CLASSES = 20
"""Upper limit of classes in a confusion matrix that a person can read."""

MAX_PAIRS = 20
"""Upper limit of pairs that are shown instead."""


@dataclass(frozen=True)
class ConfusedPair:
    """A wrong answer to the images of one class."""

    true: str
    answered: str
    count: int
    share: float
    """Of the images of the true class, 0..1."""


def worst_pairs(
    matrix: Sequence[Sequence[int]], classes: Sequence[str], limit: int = MAX_PAIRS
) -> list[ConfusedPair]:
    """Return the mistakes of a confusion matrix, the most frequent first.

    Args:
        matrix: counts; rows are true classes, columns are answers.
        classes: the names of the rows and columns.
        limit: how many pairs to return at most; pairs that never occur are left out.
    """
    pairs = [
        ConfusedPair(true, answered, count, count / sum(row))
        for true, row in zip(classes, matrix, strict=True)
        for answered, count in zip(classes, row, strict=True)
        if true != answered and count
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share))[:limit]
