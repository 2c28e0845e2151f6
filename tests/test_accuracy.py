"""The accuracies that the README states: of the shipped network, and `slow`, of trained ones."""

import csv
import json
import statistics
from collections import defaultdict
from pathlib import Path

import pytest
from helpers.cli import cnn

from cnn_cli.checkpoint.choose import shipped

SHIPPED = shipped()


def accuracy_on_mnist(checkpoint: Path, mnist_folder: Path) -> float:
    settings = [f"data.root={mnist_folder}", "data.download=false", "data.fallback=none"]
    # In bfloat16, which the checkpoint was trained with, processors without it take six times as long.
    outcome = cnn("eval", checkpoint, "--json", *settings, "train.precision=float32")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert (result["data"], result["split"], result["n"]) == ("mnist", "test", 10_000)
    return float(result["accuracy"])


def test_the_shipped_network_on_mnist(mnist_folder: Path) -> None:
    """At least 99.2 %; measured 99.4 %."""
    assert accuracy_on_mnist(SHIPPED, mnist_folder) >= 0.992


def test_the_shipped_network_was_trained_on_mnist_and_contains_no_path() -> None:
    config = cnn("config", "check", "lenet")
    assert config.code == 0
    header = SHIPPED.read_bytes()[:10_000].decode(errors="replace")
    assert '\\"data\\": \\"mnist\\"' in header
    assert '\\"root\\"' not in header


def test_the_shipped_network_on_hand_drawn_digits(handdrawn_folder: Path) -> None:
    """At least 119 of 120 images, and 95 % of the photos; none is left out."""
    with (handdrawn_folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    paths = [handdrawn_folder / row["file"] for row in rows]
    outcome = cnn("predict", "--json", "--checkpoint", SHIPPED, *paths)
    assert outcome.code == 0, outcome.err
    answers = [json.loads(line)["label"] for line in outcome.out.splitlines()]
    right = defaultdict(list)
    for row, answer in zip(rows, answers, strict=True):
        right["all"].append(answer == row["label"])
        right[row["kind"]].append(answer == row["label"])
    assert statistics.mean(right["all"]) >= 0.99
    assert statistics.mean(right["photo"]) >= 0.95


def train(config: str, seed: int, folder: Path, mnist_folder: Path) -> float:
    """Return the test accuracy of a whole run, with the epochs of the config."""
    settings = [f"seed={seed}", f"data.root={mnist_folder}", "data.download=false", "data.fallback=none"]
    outcome = cnn("train", "--config", config, *settings, "--out", folder, "--json")
    assert outcome.code == 0, outcome.err
    lines = [json.loads(line) for line in outcome.out.splitlines()]
    assert len(lines) - 1 <= 12, "at most 12 epochs"
    return float(lines[-1]["accuracy"])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_lenet_reaches_99_2(tmp_path: Path, mnist_folder: Path) -> None:
    """Mean of 3 seeds; measured 99.45 %."""
    results = [train("lenet", seed, tmp_path / str(seed), mnist_folder) for seed in (1, 2, 3)]
    assert statistics.mean(results) >= 0.992


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_lenet_of_1998_reaches_98_9(tmp_path: Path, mnist_folder: Path) -> None:
    """Mean of 3 seeds; measured 98.95 %. The paper has 99.05 % without distortions."""
    results = [train("lenet-1998", seed, tmp_path / str(seed), mnist_folder) for seed in (1, 2, 3)]
    assert statistics.mean(results) >= 0.989


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fast_reaches_99_in_two_epochs(tmp_path: Path, mnist_folder: Path) -> None:
    """Mean of 10 seeds, at least that of the fastest published record."""
    results = [train("fast", seed, tmp_path / str(seed), mnist_folder) for seed in range(1, 11)]
    assert statistics.mean(results) >= 0.9904
