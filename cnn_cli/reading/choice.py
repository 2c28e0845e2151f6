"""Which hypothesis about an image is taken: the one of the highest confidence, with a small prior."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnn_cli.image.hypotheses import TURNS, Kind

ENOUGH = 0.95
"""A first hypothesis with this confidence is taken, and no other is tried, unless something as strong as ink
is at a border of the image: what stands out in a tight crop may be the background."""

TURNED = 0.97
"""A turned digit is taken if the network is at least this confident of it, and unsure of all others."""

UNSURE = 0.6
"""Below this confidence of the best upright hypothesis, a turned one may be taken."""

LESS_INK = 0.97
"""Prior of the largest component alone, a factor of its confidence: what it leaves out may be the bar of a
broken 7, and the network is often as confident of the rest."""


@dataclass(frozen=True)
class Candidate:
    """A hypothesis and the network's answer to it."""

    hypothesis: Kind
    label: str
    confidence: float
    """Probability of the label, 0..1."""

    @property
    def score(self) -> float:
        """The confidence with the prior of the hypothesis, 0..1."""
        return self.confidence * (LESS_INK if self.hypothesis == Kind.MAIN else 1)


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
    if candidates[best].confidence >= UNSURE:
        return best
    turned = [i for i in range(len(candidates)) if i not in upright and candidates[i].confidence >= TURNED]
    return max(turned, key=lambda i: candidates[i].confidence, default=best)
