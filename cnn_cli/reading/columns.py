"""Scores for each column of a strip -> characters, each with its place and the probability that it is right.

The text is that of the best path (Graves et al. 2006, section 3.2), but a column is blank only if that is
more probable than all characters together. The path divides the columns among its characters. Within the
columns of one, the probabilities of all texts add up to 1: of no character, of each single one, of two and
more. The probability of the single one is the confidence: a second digit that the best path has missed lowers
it as much as another digit in the same place.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cnn_cli.inference.activations import log_softmax

Floats = NDArray[np.float64]

MOSTLY_BLANK = np.log(0.5)
"""Logarithm of the probability of a blank above which a column has no character. Otherwise it has one, also
where the blank is the most probable class: a digit that resembles two others would be lost."""


@dataclass(frozen=True)
class ColumnCharacter:
    """A character that was read in some columns."""

    probabilities: Floats
    """[K]: the probability of each single character in these columns; the rest is that of other texts."""
    columns: tuple[int, int]
    """Where it is, as columns of the scores: the first of its run, and the first after it."""
    span: tuple[int, int]
    """The columns that are divided among the characters, likewise."""

    @property
    def best(self) -> int:
        """The index of the most probable character."""
        return int(self.probabilities.argmax())

    @property
    def confidence(self) -> float:
        """The probability of the most probable character, 0..1."""
        return float(self.probabilities.max())


def read_columns(scores: Floats) -> list[ColumnCharacter]:
    """Return the characters of a strip from left to right.

    Args:
        scores: [K + 1, W], logarithms of probabilities up to a constant of each column; the last class is the
            blank.
    """
    log_probabilities = log_softmax(scores, axis=0).astype(np.float64)
    blank = len(scores) - 1
    is_blank = log_probabilities[blank] > MOSTLY_BLANK
    runs = _runs(np.where(is_blank, blank, log_probabilities[:blank].argmax(axis=0)), blank)
    spans = _spans(runs, log_probabilities[blank])
    return [
        ColumnCharacter(_single(log_probabilities[:, start:end]), run, (start, end))
        for run, (start, end) in zip(runs, spans, strict=True)
    ]


def _runs(best: NDArray[np.intp], blank: int) -> list[tuple[int, int]]:
    """Return the runs of one class in the best path, without those of the blank."""
    changes = np.flatnonzero(np.diff(best)) + 1
    ends = [*changes.tolist(), len(best)]
    starts = [0, *changes.tolist()]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if best[start] != blank]


def _spans(runs: list[tuple[int, int]], blank: Floats) -> list[tuple[int, int]]:
    """Divide all columns among the runs, between two of them where the blank is most probable."""
    if not runs:
        return []
    borders = [0]
    for (_, end), (start, _) in pairwise(runs):
        between = blank[end:start]
        borders.append(end + int(between.argmax()) + 1 if len(between) else start)
    borders.append(len(blank))
    return list(pairwise(borders))


def _single(log_probabilities: Floats) -> Floats:
    """Return the probability [K] of each text of one character, summed over all paths (ibid., section 4.1).

    Args:
        log_probabilities: [K + 1, W] of some columns, the last class is the blank.
    """
    characters, blank = log_probabilities[:-1], log_probabilities[-1]
    before = np.concatenate([[0.0], np.cumsum(blank)])  # only blanks up to a column
    inside = np.full(len(characters), -np.inf)  # the last column is the character
    after = np.full(len(characters), -np.inf)  # blanks follow it
    for column in range(log_probabilities.shape[1]):
        after = np.logaddexp(after, inside) + blank[column]
        inside = np.logaddexp(inside, before[column]) + characters[:, column]
    probabilities: Floats = np.exp(np.logaddexp(inside, after))
    return probabilities
