"""Accuracy of the network that ships on digits that people drew or photographed, and what constants do to it.

    python benchmarks/handdrawn.py        # $CNN_TEST_HANDDRAWN, else ../shared/handdrawn; some minutes

No network was trained on these images, but the constants of `cnn_cli/image` were chosen with them in view.
So each constant is moved by a quarter down and up, one at a time, and every image is classified again. The
variant with the most correct answers on all sources but one is then evaluated on that source (a tie goes to
the unchanged constants): leave one source out. Writes results/handdrawn.json.
"""

import argparse
import csv
import math
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import measure
import numpy as np

from cnn_cli.checkpoint.choose import shipped
from cnn_cli.image import background, components, decode, ink, normalize
from cnn_cli.reading import batches
from cnn_cli.reading.predict import predict
from cnn_cli.reading.reader import Reader, open_reader
from cnn_cli.reading.sources import ImageSource

FOLDER = Path(os.environ.get("CNN_TEST_HANDDRAWN", Path(__file__).parent.parent.parent / "shared/handdrawn"))
FACTORS = (0.75, 1.25)
CONSTANTS: dict[ModuleType, str] = {
    decode: "MID_GRAY",
    background: """
        FLAT_TOLERANCE FULL_SHARE FULL_CONTRAST COVER TWO_TONES BORDER_MIXED MARGIN_STEP MARGIN_SHARE
        LIGHT_SIDE POLARITY_SIDE FIT_ROUNDS STROKE_WINDOW
    """,
    ink: """
        MIN_CONTRAST THRESHOLD_DEVIATIONS THRESHOLD_RANGE NOISE_DEVIATIONS MAX_START CERTAIN
        STRONGEST_SHARE STRONGEST_PIXELS
    """,
    components: """
        GRID MIN_EXTENT BORDER_CONTACT ACROSS OUTER_WEIGHT BORDER_WEIGHT PART_INK PART_GAP
        PART_GAP_AT_BORDER
    """,
    normalize: "MIN_STROKE STROKE",
}
NEAR_ONE = 0.75
"""From this value on, a constant's difference from 1 is moved instead of the constant."""


def moved(value: Any, factor: float) -> Any:
    """Return a constant times the factor."""
    if isinstance(value, tuple):
        return tuple(moved(each, factor) for each in value)
    if isinstance(value, int):
        return round(value * factor)
    return 1 - (1 - value) * factor if NEAR_ONE <= value < 1 else value * factor


@contextmanager
def changed(module: ModuleType, name: str, factor: float) -> Iterator[None]:
    """Move the constant in the body of `with`."""
    value = getattr(module, name)
    setattr(module, name, moved(value, factor))
    try:
        yield
    finally:
        setattr(module, name, value)


def correct_answers(reader: Reader, rows: list[dict[str, str]]) -> np.ndarray:
    """Return which images get the answer of their label: bool [N]."""
    sources = [ImageSource(row["file"], FOLDER / row["file"]) for row in rows]
    answers = [getattr(result, "label", None) for result in predict(reader, sources)]
    return np.array([answer == row["label"] for answer, row in zip(answers, rows, strict=True)])


def counts(correct: np.ndarray, groups: list[str]) -> dict[str, str]:
    """Return for each group how many of its images are correct, the largest group first."""
    by_group = defaultdict(list)
    for group, each in zip(groups, correct.tolist(), strict=True):
        by_group[group].append(each)
    ordered = sorted(by_group.items(), key=lambda item: -len(item[1]))
    return {group: f"{sum(each)} of {len(each)}" for group, each in ordered}


def leave_one_out(correct: np.ndarray, variants: np.ndarray, sources: np.ndarray) -> int:
    """Return how many are correct if each source is classified by the variant that is best on all others.

    Args:
        correct: bool [N], with the unchanged constants.
        variants: bool [V, N].
        sources: [N].
    """
    total = 0
    for source in np.unique(sources):
        left_out = sources == source
        best = max((correct, *variants), key=lambda each: int(each[~left_out].sum()))  # the first if equal
        total += int(best[left_out].sum())
    return total


def main() -> None:
    """Measure, print, write."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    batches.START_WORKERS_AFTER = math.inf  # worker processes would use the unchanged constants
    reader = open_reader([shipped()])
    with (FOLDER / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    correct = correct_answers(reader, rows)
    by_constant, variants = {}, []
    for module, names in CONSTANTS.items():
        for name in names.split():
            for factor in FACTORS:
                with changed(module, name, factor):
                    variants.append(correct_answers(reader, rows))
            by_constant[f"{module.__name__.removeprefix('cnn_cli.')}.{name}"] = [
                int(each.sum()) for each in variants[-len(FACTORS) :]
            ]
            print(f"{name:<20} {by_constant[list(by_constant)[-1]]}", flush=True)
    every = [count for pair in by_constant.values() for count in pair]
    sources = [row["source"] for row in rows]
    result = {
        "command": "python benchmarks/handdrawn.py",
        "images": len(rows),
        "right": int(correct.sum()),
        "by_kind": counts(correct, [row["kind"] for row in rows]),
        "by_source": list(counts(correct, sources).values()),
        "misread": [row["file"] for row, each in zip(rows, correct, strict=True) if not each],
        "constants_moved_by_a_quarter": by_constant,
        "least_right": min(every),
        "most_right": max(every),
        "leave_one_source_out": leave_one_out(correct, np.stack(variants), np.array(sources)),
        **measure.setting(),
    }
    measure.write("handdrawn", result)
    for name in ("right", "by_kind", "least_right", "most_right", "leave_one_source_out"):
        print(name, result[name])


if __name__ == "__main__":
    main()
