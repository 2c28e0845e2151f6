"""Writes the README's table of results from the files in benchmarks/results. `--check` only compares.

A results file is the `metrics.json` of a run or what `cnn eval --json` printed, with the run's seed, epochs
and device added.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- results: written by benchmarks/table.py -->", "<!-- end of results -->"

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


def table() -> str:
    """The whole table."""
    head = "| what | test accuracy | each seed | epochs | command |\n|---|---|---|---|---|"
    return "\n".join([head, *(row(*entry) for entry in ROWS)])


def main(check: bool) -> None:
    """Put the table between its marks in the README, or fail where it differs."""
    text = README.read_text()
    before, rest = text.split(START)
    new = f"{before}{START}\n\n{table()}\n\n{END}{rest.split(END)[1]}"
    if check and new != text:
        sys.exit("the README's results are stale: run python benchmarks/table.py")
    README.write_text(new)


if __name__ == "__main__":
    main(sys.argv[1:] == ["--check"])
