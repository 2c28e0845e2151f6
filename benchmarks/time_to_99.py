"""Compare the time from the start to 99 % accuracy on MNIST's test set with that of published scripts.

    python benchmarks/time_to_99.py [--seeds 10] [--rounds 3]

`cnn train --config fast.yaml` alternates with the fastest published recipe, each in a new process on all
cores; then the most-copied script runs to its first epoch at 99 %. Both the times of the whole processes and
those of the training alone, with the data in memory, are compared. MNIST is the one that `cnn` finds.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure

REFERENCES = Path(__file__).parent / "references"
TARGET = 0.99


def fast(seed: int, folder: Path) -> dict[str, Any]:
    """Train once with fast.yaml."""
    run = folder / "run"
    settings = (f"seed={seed}", "data.fallback=none", "--out", run, "--overwrite")
    done = measure.cnn("train", "--config", "fast.yaml", *settings)
    metrics = json.loads((run / "metrics.json").read_text())
    return {
        "seed": seed,
        "accuracy": metrics["test"]["accuracy"],
        "seconds": done.seconds,
        "cpu_seconds": done.cpu_seconds,
        "train_seconds": metrics["seconds"],
        "device": metrics["device"],
    }


def recipe(seed: int, root: Path) -> dict[str, Any]:
    """Train once with the fastest published recipe."""
    threads = str(os.cpu_count())
    script = REFERENCES / "train_mnist_fast.py"
    done = measure.run(sys.executable, script, root, "--seed", str(seed), "--threads", threads)
    figures: dict[str, Any] = json.loads(done.output)
    return figures | {"seconds": done.seconds, "cpu_seconds": done.cpu_seconds}


def most_copied(root: Path) -> list[dict[str, Any]]:
    """Return the epochs of the most-copied script up to the first at 99 %."""
    script, threads = REFERENCES / "most_copied.py", str(os.cpu_count())
    done = measure.run(sys.executable, script, root, "--threads", threads)
    epochs = [json.loads(line) for line in done.output.splitlines()]
    reached = [index for index, epoch in enumerate(epochs) if epoch["accuracy"] >= TARGET]
    return epochs[: reached[0] + 1] if reached else epochs


def main() -> None:
    """Measure, and write results/time_to_99.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    results: dict[str, Any] = {"command": f"python benchmarks/time_to_99.py --seeds {options.seeds}"}
    results |= measure.setting() | {"fast": [], "train_mnist_fast": [], "most_copied": []}
    with tempfile.TemporaryDirectory() as name:
        root = measure.torchvision_root(Path(name) / "data")
        for seed in range(1, options.seeds + 1):
            results["fast"].append(fast(seed, Path(name)))
            if seed <= options.rounds:
                results["train_mnist_fast"].append(recipe(seed, root))
            measure.write("time_to_99", results)
        results["most_copied"] = most_copied(root)
    measure.write("time_to_99", results)
    show(results)


def show(results: dict[str, Any]) -> None:
    """Print the results."""
    median = {
        kind: {
            key: statistics.median(run[key] for run in results[kind]) for key in ("seconds", "train_seconds")
        }
        for kind in ("fast", "train_mnist_fast")
    }
    shares = [100 * run["accuracy"] for run in results["fast"]]
    copied = results["most_copied"][-1]
    ours, theirs = median["fast"], median["train_mnist_fast"]
    print(
        f"fast.yaml: {statistics.mean(shares):.3f} % ± {statistics.stdev(shares):.3f} (seeds: {len(shares)})"
    )
    print(f"whole process {ours['seconds']:.1f} s, training {ours['train_seconds']:.2f} s")
    print(f"training of train_mnist_fast / ours: {theirs['train_seconds'] / ours['train_seconds']:.1f}")
    print(f"most-copied script to {copied['accuracy']:.2%} / ours: {copied['seconds'] / ours['seconds']:.0f}")


if __name__ == "__main__":
    main()
