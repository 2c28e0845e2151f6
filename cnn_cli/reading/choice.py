"""Which hypothesis about an image is taken: the one that the network is most confident of."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnn_cli.image.hypotheses import TURNS, Kind

ENOUGH = 0.95
"""A first hypothesis with this confidence is taken, and no other is tried, unless its ink reaches a border of
the image: what stands out in a tight crop may be the background beside the digit."""

PRIOR = 0.95
"""Factor of the confidence of every hypothesis but the first: what stands out is the digit most often."""

TURNED = 0.97
"""A turned digit is taken if the network is at least this confident of it, and unsure of all others: many
signs resemble a digit from some side."""

UNSURE = 0.6
"""No hypothesis is taken for granted below this confidence: a turned one may win."""


@dataclass(frozen=True)
class Candidate:
    """A hypothesis and the network's answer to it."""

    hypothesis: Kind
    label: str
    confidence: float
    """Probability of the label, 0..1."""


def choose(candidates: Sequence[Candidate]) -> int:
    """Return the index of the hypothesis that is taken.

    Args:
        candidates: at least one; the first hypothesis first.
    """
    upright = [i for i, candidate in enumerate(candidates) if candidate.hypothesis not in TURNS]
    best = max(upright, key=lambda i: candidates[i].confidence * (PRIOR if i else 1))
    if candidates[best].confidence >= UNSURE:
        return best
    turned = [i for i in range(len(candidates)) if i not in upright and candidates[i].confidence >= TURNED]
    return max(turned, key=lambda i: candidates[i].confidence, default=best)
