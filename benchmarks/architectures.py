"""Train all networks for digits on MNIST under one budget: the same data and machine, at most eight minutes.

    python benchmarks/architectures.py [CONFIG ...] [--seeds 2]

Every network trains with its config, in a process with one thread; one process runs on each core. The time is
that of the whole process, from its start to the tested checkpoint. Results are added one by one to
results/architectures.json: after a stop, only what is missing is measured. `python benchmarks/table.py`
writes the results into the documentation.
"""

import argparse
import itertools
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import measure

CONFIGS = ("mlp", "lenet", "alexnet", "zfnet", "vgg", "googlenet", "resnet")
MINUTES = 8


def train(config: str, seed: int) -> dict[str, Any]:
    """Train once and return the results."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        settings = (f"seed={seed}", "train.threads=1", "data.fallback=none")
        done = measure.cnn("train", "--config", f"{config}.yaml", *settings, "--out", run)
        metrics = json.loads((run / "metrics.json").read_text())
    return {
        "config": config,
        "seed": seed,
        "accuracy": metrics["test"]["accuracy"],
        "validation_accuracy": metrics["best"]["validation_accuracy"],
        "epochs": metrics["epochs"],
        "seconds": round(done.seconds, 1),
        "cpu_seconds": round(done.cpu_seconds, 1),
        "device": metrics["device"],
    }


def size(config: str) -> dict[str, int]:
    """Return the parameters, and the multiply-adds for one image."""
    summary = json.loads(measure.cnn("summary", config, "--json").output)
    return {key: summary[key] for key in ("parameters", "multiply_adds")}


def main() -> None:
    """Measure the missing results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="*", default=CONFIGS, help="only these")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    results = measure.read("architectures") or {"command": "python benchmarks/architectures.py", "runs": []}
    results |= measure.setting()
    results.setdefault("networks", {}).update({config: size(config) for config in options.configs})
    measured = {(run["config"], run["seed"]) for run in results["runs"]}
    pairs = itertools.product(options.configs, range(1, options.seeds + 1))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for done in as_completed([pool.submit(train, *pair) for pair in pairs if pair not in measured]):
            results["runs"].append(done.result())
            results["runs"].sort(key=lambda run: (CONFIGS.index(run["config"]), run["seed"]))
            measure.write("architectures", results)
            print(done.result(), flush=True)
    late = {run["config"] for run in results["runs"] if run["seconds"] > 60 * MINUTES}
    if late:
        print(f"longer than the budget of {MINUTES} minutes: {', '.join(sorted(late))}")


if __name__ == "__main__":
    main()
