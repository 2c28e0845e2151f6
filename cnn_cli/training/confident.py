"""Confident learning: labels that look wrong, by what a network that has not learned them answers.

Northcutt, Jiang, Chuang: Confident learning: Estimating uncertainty in dataset labels,
2021 (arXiv 1911.00068).
An image counts for class j if its probability of j reaches the mean probability of j among the images labeled
j: a class of which the network is rarely sure has a low bar. If the image has another label i, it is off the
diagonal of the confident joint (equation 1), and its label is suspect.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MIN_IMAGES = 5
"""Lower limit of images of a class whose labels are checked: the mean of fewer probabilities says nothing."""


class Suspects(NamedTuple):
    """Images whose labels look wrong, the most certain first; n entries each."""

    indices: Integers
    """Their places among all images."""
    suggested: Integers
    """The class that each looks like."""
    confidence: Floats
    """The probability of that class, 0..1."""


def find_suspects(probabilities: Floats, labels: Integers) -> Suspects:
    """Return the images that are counted off the diagonal of the confident joint.

    As in cleanlab's filter `confident_learning`, an image is left out if its label is its likeliest class
    nevertheless. The order is by the margin, the probability of the label minus that of the suggestion. A
    class without labels, which cannot have a threshold of its own, has the mean threshold. One with fewer
    than `MIN_IMAGES` images is not suggested, and its images are not suspect.

    Args:
        probabilities: float64 [N, C], of a network that was not trained on the image.
        labels: int64 [N], the given labels.
    """
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    reached = probabilities >= thresholds(probabilities, labels) - 1e-9  # of equal numbers, despite rounding
    reached &= (counts == 0) | (counts >= MIN_IMAGES)
    candidates = np.where(reached, probabilities, -1).argmax(1)
    is_suspect = reached.any(1) & (candidates != labels) & (probabilities.argmax(1) != labels)
    indices = np.flatnonzero(is_suspect & (counts[labels] >= MIN_IMAGES))
    suggested = candidates[indices]
    confidence = probabilities[indices, suggested]
    order = np.argsort(probabilities[indices, labels[indices]] - confidence, kind="stable")
    return Suspects(indices[order], suggested[order], confidence[order])


def thresholds(probabilities: Floats, labels: Integers) -> Floats:
    """Return the mean probability of each class among the images with that label, float64 [C]."""
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    own = np.bincount(labels, probabilities[np.arange(len(labels)), labels], minlength=classes)
    means: Floats = own / np.maximum(counts, 1)
    means[counts == 0] = means[counts > 0].mean()
    return means
