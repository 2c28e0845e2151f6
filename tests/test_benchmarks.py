"""Computations of the benchmarks, compared with slower ones that are easy to check."""

import sys
from itertools import combinations
from math import log
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import logsumexp

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from cnn_cli.reading.segments import WEIGHTS, Segment, features
from handdrawn import leave_one_out, moved
from predict import draw
from segment_weights import REGULARIZATION, Chain, Lattice


def segment(start: int, end: int, *, uncut: bool = False) -> Segment:
    return Segment(start, end, (0, 0, 1, 1), 1.2, 0.5, 0.1, uncut, np.zeros((28, 28), np.uint8))


def chains(random: np.random.Generator) -> list[Chain]:
    """Return two pages with every segment that their cuts allow."""
    found = []
    for text, cuts in (([3, 1], 4), ([1, 3, 3], 5)):
        pairs = np.array(list(combinations(range(cuts), 2)))
        labels = random.choice([1, 3], len(pairs))
        # So that both texts can be read.
        labels[[i for i, (start, end) in enumerate(pairs) if end == start + 1]] = 3
        labels[[i for i, (start, _) in enumerate(pairs) if start == 1]] = 1
        weighed = random.normal(size=(len(pairs), len(WEIGHTS)))
        found.append(Chain(text, labels, pairs[:, 0], pairs[:, 1], weighed, []))
    return found


def by_all_paths(chain: Chain, weights: np.ndarray) -> float:
    """Return the logarithm of the correct text's probability, from every path."""
    last, scores = int(chain.ends.max()), chain.features @ weights
    number = {(int(s), int(e)): i for i, (s, e) in enumerate(zip(chain.starts, chain.ends, strict=True))}
    inner = range(1, last)
    paths = [
        [number[pair] for pair in zip((0, *some), (*some, last), strict=True)]
        for count in range(last)
        for some in combinations(inner, count)
    ]
    sums = [scores[path].sum() for path in paths]
    right = [s for s, path in zip(sums, paths, strict=True) if chain.labels[path].tolist() == chain.text]
    return float(logsumexp(right) - logsumexp(sums)) if right else -np.inf


def test_the_cost_of_weights_equals_that_of_all_paths() -> None:
    random = np.random.default_rng(3)
    pages, weights = chains(random), random.normal(size=len(WEIGHTS))
    each = [by_all_paths(page, weights) for page in pages]
    assert np.isfinite(each).any()
    expected = -np.mean([one for one in each if one > -np.inf]) + REGULARIZATION * (weights**2).sum()
    assert Lattice(pages).cost(weights) == pytest.approx(expected)


def test_the_features_of_a_segment() -> None:
    logits = np.log([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]])
    row, other = features([segment(0, 2, uncut=True), segment(0, 1)], logits, ["7", "x"], 2.0)
    named = dict(zip(WEIGHTS, row, strict=True))
    centered = logits[0] - logits[0].mean()
    assert named == pytest.approx(
        {
            "digit": 1.0,
            "log_probability": log(0.7),
            "evidence": logsumexp(centered) / 2,
            "excess_width": 0.2,
            "missing_height": 0.35,
            "cut_ink": 0.1,
            "width_deviation": ((1.2 - 0.75) / 0.15) ** 2,
            "uncut": 1.0,
        }
    )
    assert dict(zip(WEIGHTS, other, strict=True)) == pytest.approx(
        {**named, "width_deviation": 0.0, "uncut": 0.0}
    )


def test_each_source_is_evaluated_with_the_best_variant_of_the_others() -> None:
    sources = np.array(["a", "a", "b", "b", "c"])
    as_they_are = np.array([True, False, True, False, True])
    better_on_b = np.array([False, False, True, True, True])
    assert leave_one_out(as_they_are, better_on_b[None] & False, sources) == 3
    # Without a, the variant has 3 correct answers, not 2, and is used for a; without b or c it is no better.
    assert leave_one_out(as_they_are, better_on_b[None], sources) == 2


@pytest.mark.parametrize(
    ("value", "expected"), [(8, 10), (0.5, 0.625), (0.9, 0.875), ((4.0, 0.2), (5.0, 0.25))]
)
def test_moved_constants(value, expected) -> None:
    assert moved(value, 1.25) == pytest.approx(expected)


def test_drawn_images(tmp_path: Path) -> None:
    draw(tmp_path / "many", 203, 280)
    files = sorted((tmp_path / "many").iterdir())
    assert len(files) == 203
    assert len({path.stat().st_ino for path in files}) == 200
    with Image.open(files[202]) as last, Image.open(files[2]) as same:
        assert last.size == (280, 280)
        assert last.tobytes() == same.tobytes()
