"""All digit-sized networks on MNIST under one budget: the same data and machine, at most eight minutes each.

    python benchmarks/architectures.py [CONFIG ...] [--seeds 2]

Every network trains as its config says, as a process of its own; what is timed is the whole process, from its
start to the tested checkpoint. Results are added to results/architectures.json one by one: a measurement that
was stopped goes on where it was. `python benchmarks/table.py` puts them into the README.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import measure

CONFIGS = ("mlp", "lenet", "alexnet", "zfnet", "vgg", "googlenet", "resnet")
MINUTES = 8


def train(config: str, seed: int) -> dict[str, Any]:
    """Train once; its figures."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        done = measure.cnn(
            "train", "--config", f"{config}.yaml", f"seed={seed}", "data.fallback=none", "--out", run
        )
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
    """Parameters and multiply-adds of one picture."""
    summary = json.loads(measure.cnn("summary", config, "--json").output)
    return {key: summary[key] for key in ("parameters", "multiply_adds")}


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="*", default=CONFIGS, help="only these")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    results = measure.read("architectures") or {"command": "python benchmarks/architectures.py", "runs": []}
    results |= measure.setting()
    for seed in range(1, options.seeds + 1):
        for config in options.configs:
            results.setdefault("networks", {})[config] = size(config)
            if any((run["config"], run["seed"]) == (config, seed) for run in results["runs"]):
                continue
            results["runs"].append(train(config, seed))
            measure.write("architectures", results)
            print(results["runs"][-1])
    late = {run["config"] for run in results["runs"] if run["seconds"] > 60 * MINUTES}
    if late:
        print(f"longer than the budget of {MINUTES} minutes: {', '.join(sorted(late))}")


if __name__ == "__main__":
    main()
