"""A component in which digits may touch -> which of its cuts are made: those whose parts read best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnn_cli.image.cuts import HEIGHT, WIDEST, Cut, find_cuts, piece
from cnn_cli.image.fit import fit
from cnn_cli.image.text_components import Component

# No part is lower or narrower than this (1 = the digits' height), or wider than WIDEST; a component that is not
# cut may be.
LOWEST, NARROWEST = 0.3, 0.05

WEIGHTS = {
    "each": -2.61,  # a digit: more digits have to be worth it
    "log_probability": 1.29,  # the natural logarithm of its probability, which counts from LEAST_SURE on
    "evidence": 2.30,  # how strongly the network reacts, as a share of a sure digit's
    "wider": -1.37,  # the width beyond 1
    "lower": -3.02,  # what lacks to the height LOW
    "cut_ink": -0.04,  # the ink that its cuts go through
    "unusual": -0.21,  # the squared deviation from the digit's usual width, at most FAR
    "whole": 2.23,  # the component as it is: most digits touch no other
}
"""What a segment's score adds up from. Widths, heights and ink are shares of the digits' height.

Fitted by `benchmarks/segment_weights.py` to strings of MNIST's validation digits.
"""
LEAST_SURE = -6.0
LOW = 0.85
FAR = 9.0

# So many texts are followed from cut to cut; four give the same answers.
TEXTS = 8

# The surest share of a page's segments, whose evidence is the measure of the others': networks differ in
# how large their logits are. It hardly varies: 15 with a deviation of 1.7 for the network that ships.
SUREST = 95

# Width over height of MNIST's training digits, mean and standard deviation.
USUAL_WIDTH = {
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
    """What lies between two of a component's cuts (or its sides), which may be a digit."""

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
    whole: bool
    """Whether it is the component as it is, without a cut."""
    image: np.ndarray
    """uint8 [28, 28], 0 = background: what the network reads."""


def segments_of(component: Component, height: float) -> list[Segment]:
    """Every part of the component that may be a digit; the whole component is among them.

    Args:
        component: one digit, or several that touch.
        height: of a digit in this component's row, in pixels.
    """
    scale = min(1.0, HEIGHT / height)
    small, unit = _shrunk(component, scale), height * scale
    ends = [None, *find_cuts(small, unit), None]
    last = len(ends) - 1
    found = []
    for start in range(last):
        for end in range(start + 1, last + 1):
            is_whole = (start, end) == (0, last)
            part = small if is_whole else piece(small, ends[start], ends[end])
            if part is not None and (is_whole or _can_be_digit(part, unit)):
                ink = (_ink(ends[start]) + _ink(ends[end])) / unit
                box = _box(part, component, scale)
                size = part.width / unit, part.height / unit
                found.append(Segment(start, end, box, *size, ink, is_whole, fit(part.ink)))
    return found


def _can_be_digit(part: Component, unit: float) -> bool:
    width, height = part.width / unit, part.height / unit
    return NARROWEST <= width <= WIDEST and height >= LOWEST


def _box(part: Component, component: Component, scale: float) -> tuple[float, float, float, float]:
    """Where a part of the shrunk component lies in the image."""
    left, top = (
        component.left + (part.left - component.left) / scale,
        component.top + (part.top - component.top) / scale,
    )
    return left, top, left + part.width / scale, top + part.height / scale


def _shrunk(component: Component, scale: float) -> Component:
    if scale == 1:
        return component
    size = max(1, round(component.width * scale)), max(1, round(component.height * scale))
    ink = np.asarray(Image.fromarray(component.ink).resize(size, Image.Resampling.BOX))
    return Component(ink, component.left, component.top)


def _ink(cut: Cut | None) -> float:
    return cut.ink if cut is not None else 0.0


def evidence(logits: np.ndarray) -> np.ndarray:
    """How strongly the network reacts: log of the sum of exp of the logits about their mean, float [N].

    A part of a digit often gets a high probability, since softmax only compares the classes; but its logits
    are small (Liu et al. 2020, energy-based out-of-distribution detection).

    Args:
        logits: float64 [N, C].
    """
    centered = logits - logits.mean(axis=1, keepdims=True)
    energy: np.ndarray = np.logaddexp.reduce(centered, axis=1)
    return energy


def scores(
    segments: Sequence[Segment], logits: np.ndarray, labels: Sequence[str], usual: float
) -> np.ndarray:
    """How well each segment reads as one digit: float [N], comparable between segments of one page."""
    weighed: np.ndarray = features(segments, logits, labels, usual) @ np.array(list(WEIGHTS.values()))
    return weighed


def features(
    segments: Sequence[Segment], logits: np.ndarray, labels: Sequence[str], usual: float
) -> np.ndarray:
    """What speaks for and against each segment: float64 [N, 8], in the order of `WEIGHTS`.

    Args:
        segments: N of them.
        logits: float64 [N, C], what the network says of their images.
        labels: N names of their most probable classes.
        usual: the evidence of a sure digit.
    """
    sure = (logits.max(axis=1) - np.logaddexp.reduce(logits, axis=1)).clip(LEAST_SURE)
    strength = evidence(logits) / usual
    width = np.array([segment.width for segment in segments])
    height = np.array([segment.height for segment in segments])
    columns = {
        "each": np.ones(len(segments)),
        "log_probability": sure,
        "evidence": strength,
        "wider": np.maximum(0, width - 1),
        "lower": np.maximum(0, LOW - height),
        "cut_ink": np.array([segment.cut_ink for segment in segments]),
        "unusual": _unusual(width, labels),
        "whole": np.array([float(segment.whole) for segment in segments]),
    }
    return np.stack([columns[name] for name in WEIGHTS], axis=1)


def _unusual(width: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Squared deviations from the labels' usual widths; 0 where a label has none."""
    usual = np.array([USUAL_WIDTH.get(label, (np.nan, 1.0)) for label in labels])
    squared: np.ndarray = np.nan_to_num(((width - usual[:, 0]) / usual[:, 1]) ** 2).clip(0, FAR)
    return squared


def best_path(segments: Sequence[Segment], scores: Sequence[float], labels: Sequence[str]) -> list[int]:
    """The segments that cover one component from side to side and are most probably what it says.

    Many ways to cut a component say the same. What counts is how probable a text is by all of them together (LeCun
    et al. 1998, section VIII); its best way gives the boxes.

    Returns:
        Indices of segments, from left to right.
    """
    ending: dict[int, dict[tuple[str, ...], _Way]] = {0: {(): _Way(0.0, 0.0, ())}}
    for index in sorted(range(len(segments)), key=lambda index: (segments[index].end, segments[index].start)):
        segment, score = segments[index], scores[index]
        texts = ending.setdefault(segment.end, {})
        for text, way in _likeliest(ending.get(segment.start, {})):
            longer = _Way(way.total + score, way.best + score, (*way.path, index))
            text = (*text, labels[index])
            texts[text] = longer if text not in texts else texts[text].with_other(longer)
    return list(_likeliest(ending[max(ending)])[0][1].path)


@dataclass(frozen=True)
class _Way:
    """All ways to say one text up to some cut."""

    total: float
    """Logarithm of the sum of exp of their scores."""
    best: float
    path: tuple[int, ...]
    """The best one, which has the score `best`."""

    def with_other(self, other: "_Way") -> "_Way":
        better = max(self, other, key=lambda way: way.best)
        return _Way(float(np.logaddexp(self.total, other.total)), better.best, better.path)


def _likeliest(texts: dict[tuple[str, ...], _Way]) -> list[tuple[tuple[str, ...], _Way]]:
    return sorted(texts.items(), key=lambda item: -item[1].total)[:TEXTS]
