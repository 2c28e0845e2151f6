"""Which hypothesis about an image is taken: the one of the highest score.

The score is the network's confidence, times the share of the ink that the hypothesis takes for the digit:
what is left out may be the bar of a broken 7, or show that the image is a drawing and no digit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cnn_cli.image.hypotheses import TURNS, Kind

ENOUGH = 0.95
"""A first hypothesis with this confidence is taken, and no other is tried, unless something as strong as ink
is at a border of the image: what stands out in a tight crop may be the background."""

TURNED = 0.97
"""A turned digit is taken if the network is at least this confident of it, and unsure of all others."""

UNSURE = 0.6
"""Below this score of the best upright hypothesis, a turned one may be taken."""


@dataclass(frozen=True)
class Candidate:
    """A hypothesis and the network's answer to it."""

    hypothesis: Kind
    label: str
    confidence: float
    """Probability of the label, 0..1."""
    share: float = 1.0
    """Share of the ink that stands out which is taken for the digit, above 0 to 1."""

    @property
    def score(self) -> float:
        """The confidence times the share, 0..1."""
        return self.confidence * self.share

    def is_confident(self, min_confidence: float) -> bool:
        """Whether the score reaches the threshold, and the digit was not turned.

        Many signs look like a digit from some side.
        """
        return self.score >= min_confidence and self.hypothesis not in TURNS


def is_enough(first: Candidate, reaches_border: bool) -> bool:
    """Return whether the first hypothesis is taken and no other is tried.

    Args:
        first: the first hypothesis.
        reaches_border: whether something as strong as ink is at a border of the image.
    """
    return first.confidence >= ENOUGH and not reaches_border


def choose(candidates: Sequence[Candidate]) -> int:
    """Return the index of the hypothesis that is taken.

    Args:
        candidates: at least one; the first hypothesis first.
    """
    upright = [i for i, candidate in enumerate(candidates) if candidate.hypothesis not in TURNS]
    best = max(upright, key=lambda i: candidates[i].score)  # the first, if several have the same
    if candidates[best].score >= UNSURE:
        return best
    turned = [i for i in range(len(candidates)) if i not in upright and candidates[i].confidence >= TURNED]
    return max(turned, key=lambda i: candidates[i].confidence, default=best)
