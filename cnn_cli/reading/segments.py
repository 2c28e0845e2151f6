"""A component in which digits may touch -> the cuts to make: those whose segments are the best digits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnn_cli.image.cuts import HEIGHT, WIDEST, Cut, find_cuts, piece
from cnn_cli.image.normalize import normalize_digit
from cnn_cli.image.text_components import Component

# No segment is lower or narrower than this (1 = the digits' height), or wider than WIDEST, except a component
# that is not cut.
LOWEST, NARROWEST = 0.3, 0.05

WEIGHTS = {
    "digit": -2.61,  # 1 for every segment: more digits need more evidence
    "log_probability": 1.29,  # natural logarithm of its probability, at least MIN_LOG_PROBABILITY
    "evidence": 2.30,  # how strongly the network responds, relative to a typical digit
    "excess_width": -1.37,  # the width beyond 1
    "missing_height": -3.02,  # how much lower it is than EXPECTED_HEIGHT
    "cut_ink": -0.04,  # the ink that its cuts go through
    "width_deviation": -0.21,  # squared deviation from the digit's mean width, at most MAX_DEVIATION
    "uncut": 2.23,  # 1 for the component without cuts: most digits touch no other
}
"""A segment's score is the weighted sum of these features. Lengths and ink: as shares of the digits' height.

Fitted by `benchmarks/segment_weights.py` on strings of MNIST's validation digits.
"""
MIN_LOG_PROBABILITY = -6.0
EXPECTED_HEIGHT = 0.85
MAX_DEVIATION = 9.0

# Upper limit of the texts that are followed from cut to cut; a limit of four gives the same answers.
MAX_TEXTS = 8

# The percentile of the evidence of an image's segments that counts as a typical digit's evidence, since
# networks differ in the size of their logits. It hardly varies: 15 with a deviation of 1.7 for the network
# that ships.
TYPICAL_PERCENTILE = 95

# Width over height of MNIST's training digits, mean and standard deviation.
DIGIT_WIDTH = {
    "0": (0.86, 0.13),
    "1": (0.42, 0.19),
    "2": (0.88, 0.14),
    "3": (0.78, 0.15),
    "4": (0.78, 0.15),
    "5": (0.86, 0.15),
    "6": (0.71, 0.15),
    "7": (0.75, 0.15),
    "8": (0.75, 0.16),
    "9": (0.66, 0.14),
}


@dataclass(frozen=True)
class Segment:
    """The part of a component between two of its cuts (or its sides), which may be a digit."""

    start: int
    """Number of the cut where it begins; 0 = the component's left side."""
    end: int
    """Number of the cut where it ends; the last one is the component's right side."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in the image of the component."""
    width: float
    """As a share of the digits' height."""
    height: float
    cut_ink: float
    """Ink that its two cuts go through."""
    uncut: bool
    """Whether it is the component without cuts."""
    pixels: np.ndarray
    """uint8 [28, 28], 0 = background: the network's input."""


def segments_of(component: Component, height: float) -> list[Segment]:
    """Return every segment of a component that may be a digit, including the uncut component.

    Args:
        component: one digit, or several that touch.
        height: the height of the digits in this component's row, in pixels.
    """
    scale = min(1.0, HEIGHT / height)
    small, unit = _reduced(component, scale), height * scale
    ends = [None, *find_cuts(small, unit), None]
    last = len(ends) - 1
    segments = []
    for start in range(last):
        for end in range(start + 1, last + 1):
            uncut = (start, end) == (0, last)
            part = small if uncut else piece(small, ends[start], ends[end])
            if part is not None and (uncut or _can_be_digit(part, unit)):
                cut_ink = (_ink(ends[start]) + _ink(ends[end])) / unit
                box = _box(part, component, scale)
                size = part.width / unit, part.height / unit
                pixels = normalize_digit(part.ink).pixels
                segments.append(Segment(start, end, box, *size, cut_ink, uncut, pixels))
    return segments


def _can_be_digit(part: Component, unit: float) -> bool:
    width, height = part.width / unit, part.height / unit
    return NARROWEST <= width <= WIDEST and height >= LOWEST


def _box(part: Component, component: Component, scale: float) -> tuple[float, float, float, float]:
    """Return the box in the image of a part of the reduced component."""
    left = component.left + (part.left - component.left) / scale
    top = component.top + (part.top - component.top) / scale
    return left, top, left + part.width / scale, top + part.height / scale


def _reduced(component: Component, scale: float) -> Component:
    if scale == 1:
        return component
    size = max(1, round(component.width * scale)), max(1, round(component.height * scale))
    ink = np.asarray(Image.fromarray(component.ink).resize(size, Image.Resampling.BOX))
    return Component(ink, component.left, component.top)


def _ink(cut: Cut | None) -> float:
    return cut.ink if cut is not None else 0.0


def evidence(logits: np.ndarray) -> np.ndarray:
    """Return how strongly the network responds: the log-sum-exp of the logits minus their mean, float [N].

    A part of a digit often gets a high probability, since softmax only compares the classes, but its logits
    are small (Liu et al. 2020, energy-based out-of-distribution detection).

    Args:
        logits: float64 [N, C].
    """
    centered = logits - logits.mean(axis=1, keepdims=True)
    energy: np.ndarray = np.logaddexp.reduce(centered, axis=1)
    return energy


def scores(
    segments: Sequence[Segment], logits: np.ndarray, labels: Sequence[str], typical_evidence: float
) -> np.ndarray:
    """Return how well each segment fits one digit: float [N], comparable between segments of one image."""
    values = features(segments, logits, labels, typical_evidence)
    weighted: np.ndarray = values @ np.array(list(WEIGHTS.values()))
    return weighted


def features(
    segments: Sequence[Segment], logits: np.ndarray, labels: Sequence[str], typical_evidence: float
) -> np.ndarray:
    """Return the features of each segment: float64 [N, 8], in the order of `WEIGHTS`.

    Args:
        segments: N segments.
        logits: float64 [N, C], the network's output for them.
        labels: N names of their most probable classes.
        typical_evidence: the evidence of a typical digit.
    """
    log_probability = logits.max(axis=1) - np.logaddexp.reduce(logits, axis=1)
    width = np.array([segment.width for segment in segments])
    height = np.array([segment.height for segment in segments])
    columns = {
        "digit": np.ones(len(segments)),
        "log_probability": log_probability.clip(MIN_LOG_PROBABILITY),
        "evidence": evidence(logits) / typical_evidence,
        "excess_width": np.maximum(0, width - 1),
        "missing_height": np.maximum(0, EXPECTED_HEIGHT - height),
        "cut_ink": np.array([segment.cut_ink for segment in segments]),
        "width_deviation": _width_deviation(width, labels),
        "uncut": np.array([float(segment.uncut) for segment in segments]),
    }
    return np.stack([columns[name] for name in WEIGHTS], axis=1)


def _width_deviation(width: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Return the squared deviation from each label's mean width; 0 for a label without one."""
    expected = np.array([DIGIT_WIDTH.get(label, (np.nan, 1.0)) for label in labels])
    squared: np.ndarray = np.nan_to_num(((width - expected[:, 0]) / expected[:, 1]) ** 2)
    return squared.clip(0, MAX_DEVIATION)


def best_path(segments: Sequence[Segment], scores: Sequence[float], labels: Sequence[str]) -> list[int]:
    """Return the segments that cover one component from side to side and give its most probable text.

    Different cuts can give the same text. A text's probability is the sum over all paths that give it (LeCun
    et al. 1998, section VIII); the best of these paths gives the boxes.

    Returns:
        Indices of segments, from left to right.
    """
    ending: dict[int, dict[tuple[str, ...], _Paths]] = {0: {(): _Paths(0.0, 0.0, ())}}
    for index in sorted(range(len(segments)), key=lambda index: (segments[index].end, segments[index].start)):
        segment, score = segments[index], scores[index]
        texts = ending.setdefault(segment.end, {})
        for text, paths in _most_probable(ending.get(segment.start, {})):
            longer = _Paths(paths.total + score, paths.best + score, (*paths.path, index))
            text = (*text, labels[index])
            texts[text] = longer if text not in texts else texts[text].merged_with(longer)
    return list(_most_probable(ending[max(ending)])[0][1].path)


@dataclass(frozen=True)
class _Paths:
    """All paths from the left side to one cut that give the same text."""

    total: float
    """Logarithm of the sum of exp(score) over the paths."""
    best: float
    """The best path's score."""
    path: tuple[int, ...]
    """The best path."""

    def merged_with(self, other: "_Paths") -> "_Paths":
        better = max(self, other, key=lambda paths: paths.best)
        return _Paths(float(np.logaddexp(self.total, other.total)), better.best, better.path)


def _most_probable(texts: dict[tuple[str, ...], _Paths]) -> list[tuple[tuple[str, ...], _Paths]]:
    return sorted(texts.items(), key=lambda item: -item[1].total)[:MAX_TEXTS]
