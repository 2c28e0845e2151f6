"""Writes the README's tables from the files in benchmarks/results. `--check` only compares.

A file NAME-seedN.json is the `metrics.json` of a run or what `cnn eval --json` printed, with the run's seed,
epochs and device added; the others are written by the benchmark of their name.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import measure

FOLDER = Path(__file__).parent / "results"
README = Path(__file__).parent.parent / "README.md"

ROWS = (
    (
        "lenet",
        "`lenet.yaml`: LeNet-5's layer sizes, today's training",
        "cnn train --config lenet.yaml seed=S",
    ),
    (
        "lenet-1998",
        "`lenet-1998.yaml`: LeNet-5 as published",
        "cnn train --config lenet-1998.yaml train.threads=1 seed=S",
    ),
    (
        "lenet-1998-without-coefficients",
        "the same without the trainable coefficients of its sub-sampling",
        "the same, its two affine layers left out",
    ),
    (
        "synthetic",
        "`lenet.yaml` that has never seen a real digit, on MNIST's test set",
        "cnn train --config lenet.yaml data.name=synthetic seed=S, cnn eval RUN data.name=mnist",
    ),
)


def accuracy(result: dict[str, Any]) -> float:
    """Accuracy in 0..1 of either kind of file."""
    return float(result["test"]["accuracy"] if "test" in result else result["accuracy"])


def row(name: str, title: str, command: str) -> str:
    """One line of the table: mean and standard deviation over the seeds."""
    results = [json.loads(path.read_text()) for path in sorted(FOLDER.glob(f"{name}-seed*.json"))]
    shares = [100 * accuracy(result) for result in results]
    epochs = {str(result["epochs"]) for result in results if "epochs" in result}
    spread = f"{statistics.mean(shares):.2f} % ± {statistics.stdev(shares):.2f}"
    each = ", ".join(f"{share:.2f}" for share in shares)
    return f"| {title} | {spread} | {each} | {'/'.join(epochs)} | `{command}` |"


def results() -> str:
    """Accuracies over seeds."""
    head = "| what | test accuracy | each seed | epochs | command |\n|---|---|---|---|---|"
    return "\n".join([head, *(row(*entry) for entry in ROWS)])


def time_to_99() -> str:
    """The way to 99 %, beside what others publish."""
    measured = measure.read("time_to_99")
    copied = measured["most_copied"][-1]
    rows = [
        _timed("`cnn train --config fast.yaml`", measured["fast"]),
        _timed("the fastest published recipe", measured["train_mnist_fast"]),
        f"| the most-copied script, to the end of its epoch {copied['epoch']} | {copied['accuracy']:.2%} (1) "
        f"| {copied['seconds']:.0f} s | |",
    ]
    head = "| what | test accuracy (seeds) | whole process | training |\n|---|---|---|---|"
    return "\n".join([head, *rows])


def _timed(title: str, runs: list[dict[str, Any]]) -> str:
    """A row of medians."""
    shares = [100 * run["accuracy"] for run in runs]
    whole, training = (statistics.median(run[key] for run in runs) for key in ("seconds", "train_seconds"))
    spread = f"{statistics.mean(shares):.2f} % ± {statistics.stdev(shares):.2f} ({len(runs)})"
    return f"| {title} | {spread} | {whole:.1f} s | {training:.1f} s |"


def startup() -> str:
    """What commands cost before their work begins."""
    rows = [
        f"| `{row['command']}` | {row['ratio']:.2f} x `{row['beside']}` |"
        for row in measure.read("startup")["rows"]
    ]
    return "\n".join(["| command | CPU time |", "|---|---|", *rows])


TABLES = {"results": results, "time_to_99": time_to_99, "startup": startup}
"""What stands between the marks of that name in the README."""


def filled(text: str) -> str:
    """The README's text with all tables as they were measured."""
    for name, table in TABLES.items():
        start, end = f"<!-- {name}: written by benchmarks/table.py -->", f"<!-- end of {name} -->"
        before, rest = text.split(start)
        text = f"{before}{start}\n\n{table()}\n\n{end}{rest.split(end)[1]}"
    return text


def main(check: bool) -> None:
    """Put the tables between their marks in the README, or fail where they differ."""
    text = README.read_text()
    new = filled(text)
    if check and new != text:
        sys.exit("the README's tables are stale: run python benchmarks/table.py")
    README.write_text(new)


if __name__ == "__main__":
    main(sys.argv[1:] == ["--check"])
