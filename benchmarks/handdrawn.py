"""Digits that people drew or photographed, read by the network that ships; what its constants owe to them.

    python benchmarks/handdrawn.py        # $CNN_TEST_HANDDRAWN, else ../shared/handdrawn; some minutes

No network was trained on these images, but the constants of `cnn_cli/image` were chosen with them in view.
So each constant is moved by a quarter down and up, one at a time, and every image is read again. Of these
variants the one that reads most images of all sources but one is then judged on that source (a tie goes to
the constants as they are): leave one source out. Writes results/handdrawn.json.
"""

import csv
import os
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import measure
import numpy as np
import torch

from cnn_cli.checkpoint.file import Checkpoint, read
from cnn_cli.image import fit, ink, components as marks, background as paper
from cnn_cli.image import decode as reading
from cnn_cli.image.preprocess import InputFormat, NetworkInput, preprocess_all
from cnn_cli.checkpoint.choose import shipped

FOLDER = Path(os.environ.get("CNN_TEST_HANDDRAWN", Path(__file__).parent.parent.parent / "shared/handdrawn"))
FACTORS = (0.75, 1.25)
CONSTANTS: dict[ModuleType, str] = {
    reading: "MIDDLE",
    paper: """
        FLAT_TOLERANCE FULL_SHARE FULL_DEPTH COVER TWO_TONES BORDER_MIXED MARGIN_STEP MARGIN_SHARE
        LIGHT_SIDE POLARITY_SIDE FIT_ROUNDS STROKE_WINDOW
    """,
    ink: """
        MIN_DEPTH MARK_DEVIATIONS MARK_RANGE NOISE_DEVIATIONS MAX_START REAL DEEPEST_SHARE DEEPEST_PIXELS
    """,
    marks: """
        GRID MIN_EXTENT BORDER_CONTACT ACROSS OUTER_WEIGHT BORDER_WEIGHT PART_INK PART_GAP
        PART_GAP_AT_BORDER
    """,
    fit: "MIN_STROKE STROKE",
}
NEAR_ONE = 0.75
"""From here on it is the rest to 1 that is moved."""


def moved(value: Any, factor: float) -> Any:
    """A constant, times the factor."""
    if isinstance(value, tuple):
        return tuple(moved(each, factor) for each in value)
    if isinstance(value, int):
        return round(value * factor)
    return 1 - (1 - value) * factor if NEAR_ONE <= value < 1 else value * factor


@contextmanager
def changed(module: ModuleType, name: str, factor: float):
    """The constant with another value in the body of `with`."""
    value = getattr(module, name)
    setattr(module, name, moved(value, factor))
    try:
        yield
    finally:
        setattr(module, name, value)


def read_all(checkpoint: Checkpoint, network: torch.nn.Module, rows: list[dict[str, str]]) -> np.ndarray:
    """Which images are read as their label says: bool [N]."""
    # Not by tools/predict: it asks processes for help, in which the constants are as they were.
    seen = preprocess_all([(row["file"], FOLDER / row["file"]) for row in rows], InputFormat())
    found = np.array([isinstance(each, NetworkInput) for each in seen])
    pixels = np.stack([each.pixels for each in seen if isinstance(each, NetworkInput)])
    with torch.inference_mode():
        said = network(checkpoint.preprocessing.inputs(torch.from_numpy(pixels))).argmax(1).tolist()
    labels = np.array([row["label"] for row in rows])
    right = np.zeros(len(rows), bool)
    right[found] = np.array(checkpoint.classes)[said] == labels[found]
    return right


def counts(right: np.ndarray, groups: list[str]) -> dict[str, str]:
    """For each group how many of how many are right, the largest group first."""
    found = defaultdict(list)
    for group, each in zip(groups, right.tolist(), strict=True):
        found[group].append(each)
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return {group: f"{sum(each)} of {len(each)}" for group, each in ordered}


def ignored(right: np.ndarray, variants: np.ndarray, sources: np.ndarray) -> int:
    """How many are right when each source is read by the variant that is best on all others.

    Args:
        right: bool [N], with the constants as they are.
        variants: bool [V, N].
        sources: [N].
    """
    total = 0
    for source in np.unique(sources):
        held = sources == source
        best = max((right, *variants), key=lambda each: int(each[~held].sum()))  # of equals the first
        total += int(best[held].sum())
    return total


def main() -> None:
    """Measure, print, write."""
    torch.set_num_threads(1)
    checkpoint = read(shipped())
    network = checkpoint.network()
    with (FOLDER / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = read_all(checkpoint, network, rows)
    by_constant, variants = {}, []
    for module, names in CONSTANTS.items():
        for name in names.split():
            for factor in FACTORS:
                with changed(module, name, factor):
                    variants.append(read_all(checkpoint, network, rows))
            by_constant[f"{module.__name__.removeprefix('cnn_cli.')}.{name}"] = [
                int(each.sum()) for each in variants[-len(FACTORS) :]
            ]
            print(f"{name:<20} {by_constant[list(by_constant)[-1]]}", flush=True)
    every = [count for found in by_constant.values() for count in found]
    sources = [row["source"] for row in rows]
    result = {
        "command": "python benchmarks/handdrawn.py",
        "images": len(rows),
        "right": int(right.sum()),
        "by_kind": counts(right, [row["kind"] for row in rows]),
        "by_source": list(counts(right, sources).values()),
        "misread": [row["file"] for row, each in zip(rows, right, strict=True) if not each],
        "constants_moved_by_a_quarter": by_constant,
        "least_right": min(every),
        "most_right": max(every),
        "leave_one_source_out": ignored(right, np.stack(variants), np.array(sources)),
        **measure.setting(),
    }
    measure.write("handdrawn", result)
    for name in ("right", "by_kind", "least_right", "most_right", "leave_one_source_out"):
        print(name, result[name])


if __name__ == "__main__":
    main()
