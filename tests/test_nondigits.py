"""The benchmark's images that are no digits, and the shares that it reports."""

import importlib
import io
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def nondigits(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, reduced to three images of each kind."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    module = importlib.import_module("nondigits")
    monkeypatch.setattr(module, "COUNTS", dict.fromkeys(module.COUNTS, 3))
    return module


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=np.float32)


def test_each_kind_is_reproducible_and_different_for_development(nondigits) -> None:
    final, again, other = (list(nondigits.non_digits(final)) for final in (True, True, False))
    assert final == again
    assert Counter(kind for kind, _ in final) == dict.fromkeys(nondigits.COUNTS, 3)
    assert not {png for _, png in final} & {png for _, png in other}
    assert len({png for _, png in final + other}) == 30


def test_all_kinds_but_blank_contain_ink(nondigits) -> None:
    for kind, png in nondigits.non_digits(True):
        image = pixels(png)
        middle = float(np.median(image))
        ink = (np.abs(image - middle) > 60).mean()
        assert (ink < 0.001) if kind == "blank" else (ink > 0.002), kind


def test_shares_are_counted(nondigits) -> None:
    unsure = importlib.import_module("unsure")
    others = {"letters": [0.1, 0.5, 0.9, 0.2], "blank": [0.0]}
    digits, correct = np.array([0.5, 0.9, 0.99, 1.0]), np.array([False, True, False, True])
    assert unsure.figures(others, digits, correct, 0.5) == {
        "min_confidence": 0.5,
        "non_digits_unsure": 0.6,
        "by_kind": {"letters": 0.5, "blank": 1.0},
        "digits_unsure": 0.0,  # 0.5 reaches the threshold
        "accuracy_of_confident": 0.5,
    }
    assert unsure.figures(others, digits, correct, 0.95)["digits_unsure"] == 0.5
