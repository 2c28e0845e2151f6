"""Computations of the benchmarks, compared with slower ones that are easy to check."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from handdrawn import leave_one_out, moved
from predict import draw


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
