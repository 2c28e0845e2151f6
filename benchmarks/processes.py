"""Compare two processes of one thread with one process of two threads and one process of one thread.

    python benchmarks/processes.py [--rounds 5] [--epochs 1]

lenet.yaml trains on MNIST; torchrun starts the processes, which are connected by gloo. The three setups
alternate.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import measure

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
SETUPS: dict[str, tuple[tuple[str, ...], int]] = {
    "two processes of one thread": (TORCHRUN, 1),
    "one process of two threads": ((), 2),
    "one process of one thread": ((), 1),
}
"""The arguments of Python before the program, and the threads of a process."""


def run(start: tuple[str, ...], threads: int, epochs: int, seed: int, folder: Path) -> dict[str, Any]:
    """Train once with one of the setups."""
    settings = (f"train.epochs={epochs}", f"train.threads={threads}", f"seed={seed}", "train.device=cpu")
    done = measure.train("--config", "lenet.yaml", *settings, folder=folder, start=start)
    return {
        "seed": seed,
        "images_per_second": statistics.median(epoch["images_per_second"] for epoch in done.epochs),
        "seconds": done.process.seconds,
        "cpu_seconds": done.process.cpu_seconds,
        "accuracy": done.metrics["test"]["accuracy"],
        "device": done.metrics["device"],
    }


def main() -> None:
    """Measure, and write results/processes.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    command = f"python benchmarks/processes.py --rounds {options.rounds} --epochs {options.epochs}"
    runs: dict[str, list[dict[str, Any]]] = {setup: [] for setup in SETUPS}
    results = {"command": command, **measure.setting(), "epochs": options.epochs, "runs": runs}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, options.rounds + 1):
            for setup, (start, threads) in SETUPS.items():
                runs[setup].append(run(start, threads, options.epochs, seed, Path(folder)))
            measure.write("processes", results)
    show(results)


def show(results: dict[str, Any]) -> None:
    """Print the medians, one line for each setup."""
    for setup, runs in results["runs"].items():
        rate, seconds = (
            statistics.median(run[key] for run in runs) for key in ("images_per_second", "seconds")
        )
        print(f"{setup:<28} {rate:>8,.0f} images/s  {seconds:.1f} s for the whole process")


if __name__ == "__main__":
    main()
