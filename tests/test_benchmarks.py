"""Parts of the benchmarks that decide a result, compared with a slower implementation."""

import sys
from itertools import combinations
from math import log
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import logsumexp

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from handdrawn import ignored, moved
from predict import draw
from segment_weights import PULL, Chain, Lattice

from cnn_cli.reading.segments import WEIGHTS, Segment, features


def segment(start: int, end: int, *, whole: bool = False) -> Segment:
    return Segment(start, end, (0, 0, 1, 1), 1.2, 0.5, 0.1, whole, np.zeros((28, 28), np.uint8))


def chains(random: np.random.Generator) -> list[Chain]:
    """Return two pages with every segment that their cuts allow."""
    pages = []
    for text, cuts in (([3, 1], 4), ([1, 3, 3], 5)):
        pairs = np.array(list(combinations(range(cuts), 2)))
        labels = random.choice([1, 3], len(pairs))
        labels[[i for i, (start, end) in enumerate(pairs) if end == start + 1]] = (
            3  # so that both can be read
        )
        labels[[i for i, (start, _) in enumerate(pairs) if start == 1]] = 1
        values = random.normal(size=(len(pairs), len(WEIGHTS)))
        pages.append(Chain(text, labels, pairs[:, 0], pairs[:, 1], values, []))
    return pages


def log_probability(chain: Chain, weights: np.ndarray) -> float:
    """Return the log probability of the right text, from a list of all ways to cut."""
    last, scores = int(chain.ends.max()), chain.features @ weights
    number = {(int(s), int(e)): i for i, (s, e) in enumerate(zip(chain.starts, chain.ends, strict=True))}
    inner = range(1, last)
    ways = [
        [number[pair] for pair in zip((0, *some), (*some, last), strict=True)]
        for count in range(last)
        for some in combinations(inner, count)
    ]
    sums = [scores[way].sum() for way in ways]
    right = [s for s, way in zip(sums, ways, strict=True) if chain.labels[way].tolist() == chain.text]
    return float(logsumexp(right) - logsumexp(sums)) if right else -np.inf


def test_the_cost_of_weights_is_that_of_all_ways_to_cut() -> None:
    random = np.random.default_rng(3)
    pages, weights = chains(random), random.normal(size=len(WEIGHTS))
    values = [log_probability(page, weights) for page in pages]
    assert np.isfinite(values).any()
    expected = -np.mean([value for value in values if value > -np.inf]) + PULL * (weights**2).sum()
    assert Lattice(pages).cost(weights) == pytest.approx(expected)


def test_the_features_of_a_segment() -> None:
    logits = np.log([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]])
    row, other = features([segment(0, 2, whole=True), segment(0, 1)], logits, ["7", "x"], 2.0)
    named = dict(zip(WEIGHTS, row, strict=True))
    centered = logits[0] - logits[0].mean()
    assert named == pytest.approx(
        {
            "each": 1.0,
            "log_probability": log(0.7),
            "evidence": logsumexp(centered) / 2,
            "wider": 0.2,
            "lower": 0.35,
            "cut_ink": 0.1,
            "unusual": ((1.2 - 0.75) / 0.15) ** 2,
            "whole": 1.0,
        }
    )
    assert dict(zip(WEIGHTS, other, strict=True)) == pytest.approx({**named, "unusual": 0.0, "whole": 0.0})


def test_a_source_is_read_with_the_variant_that_is_best_on_the_others() -> None:
    sources = np.array(["a", "a", "b", "b", "c"])
    unchanged = np.array([True, False, True, False, True])
    better_on_b = np.array([False, False, True, True, True])
    assert ignored(unchanged, better_on_b[None] & False, sources) == 3
    # Without a, the variant has 3 right instead of 2, so it reads a; without b or c it is not better.
    assert ignored(unchanged, better_on_b[None], sources) == 2


@pytest.mark.parametrize(
    ("value", "expected"), [(8, 10), (0.5, 0.625), (0.9, 0.875), ((4.0, 0.2), (5.0, 0.25))]
)
def test_a_changed_constant(value, expected) -> None:
    assert moved(value, 1.25) == pytest.approx(expected)


def test_the_images_of_the_benchmark_of_predict(tmp_path: Path) -> None:
    draw(tmp_path / "many", 203, 280)
    files = sorted((tmp_path / "many").iterdir())
    assert len(files) == 203
    assert len({path.stat().st_ino for path in files}) == 200
    with Image.open(files[202]) as last, Image.open(files[2]) as same:
        assert last.size == (280, 280)
        assert last.tobytes() == same.tobytes()
