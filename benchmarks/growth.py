"""Measure how time and memory grow with the data.

    python benchmarks/growth.py [--rounds 3] [--base 30000]

lenet.yaml trains for an epoch on 1, 2, 4 and 8 times as many synthetic digits, and on MNIST, each time in a
new process; the sizes alternate. The time is that of the epoch, without validation. The memory is the peak of
the process, minus that of a process that only imports torch.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure

FACTORS = (1, 2, 4, 8)
EPOCH = ("--config", "lenet.yaml", "train.epochs=1")


def synthetic(images: int, root: Path) -> tuple[str, ...]:
    """Return the settings of `images` synthetic digits below `root`, without a validation set."""
    numbers = f"{{train: {images}, test: 1000}}"
    return "data.name=synthetic", f"data.synthetic={numbers}", "data.validation=0", f"data.root={root}"


def run(words: tuple[str, ...], folder: Path, torch_memory: int) -> dict[str, Any]:
    """Train for an epoch; return its time and the memory of its process."""
    done = measure.train(*EPOCH, *words, folder=folder)
    return {
        "epoch_seconds": done.epochs[0]["seconds"],
        "memory_beyond_torch_mb": round((done.process.peak_memory - torch_memory) / 1e6),
        "cpu_seconds": done.process.cpu_seconds,
        "device": done.metrics["device"],
        "seed": done.metrics["seed"],
    }


def main() -> None:
    """Measure, and write results/growth.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", type=int, default=30_000)
    options = parser.parse_args()
    command = f"python benchmarks/growth.py --rounds {options.rounds} --base {options.base}"
    torch_memory = measure.run(sys.executable, "-c", "import torch").peak_memory
    rows: list[dict[str, Any]] = [{"images": options.base * factor, "runs": []} for factor in FACTORS]
    mnist: dict[str, Any] = {"images": 55_000, "runs": []}
    results = {"command": command, **measure.setting(), "torch_memory_mb": round(torch_memory / 1e6)}
    results |= {"rows": rows, "mnist": mnist}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for row in rows:  # drawn before, since that takes memory too
            measure.cnn("data", "get", *synthetic(row["images"], folder))
        for _ in range(options.rounds):
            for row in rows:
                row["runs"].append(run(synthetic(row["images"], folder), folder, torch_memory))
            mnist["runs"].append(run((), folder, torch_memory))
            measure.write("growth", results)
    show(results)


def show(results: dict[str, Any]) -> None:
    """Print the medians, one line for each size."""
    first = None
    for row in (*results["rows"], results["mnist"]):
        seconds, memory = (
            statistics.median(run[key] for run in row["runs"])
            for key in ("epoch_seconds", "memory_beyond_torch_mb")
        )
        first = first or seconds
        print(f"{row['images']:>9,} images  {seconds:6.2f} s ({seconds / first:.2f} x)  {memory:,.0f} MB")


if __name__ == "__main__":
    main()
