"""Compare the time that a command takes to start with the time of the import that it needs.

    python benchmarks/startup.py [--rounds 9]

Commands and imports alternate, so that other load on the machine affects both. The result is the ratio of the
medians of CPU time.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure

ROOT = Path(__file__).parent.parent
IMPORTS = {"torch": "import torch", "typer, rich": "import typer, rich"}
TRAIN = ("train", "--config", "lenet.yaml", "train.epochs=0", "output.plot=false", "data.fallback=none")


def commands(folder: Path) -> dict[str, tuple[str, tuple[str | Path, ...]]]:
    """Return the import to compare with and the arguments of each command, by its title."""
    run = folder / "run"
    return {
        "--help": ("typer, rich", ("--help",)),
        "config list": ("typer, rich", ("config", "list")),
        "predict seven.jpg": ("torch", ("predict", ROOT / "docs" / "seven.jpg")),
        "train of no epochs": ("torch", (*TRAIN, "--out", run, "--overwrite")),
        "eval": ("torch", ("eval", run)),
    }


def main() -> None:
    """Measure, and write results/startup.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        table = commands(Path(folder))
        for number in range(rounds + 1):
            for name, code in IMPORTS.items():
                seconds.setdefault(f"import {name}", []).append(
                    measure.run(sys.executable, "-c", code).cpu_seconds
                )
            for name, (_, arguments) in table.items():
                seconds.setdefault(name, []).append(measure.cnn(*arguments).cpu_seconds)
            if number == 0:
                seconds.clear()  # the first round fills the file cache
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    rows: list[dict[str, Any]] = [
        {
            "command": f"cnn {name}",
            "beside": f"import {module}",
            "cpu_seconds": round(medians[name], 3),
            "beside_cpu_seconds": round(medians[f"import {module}"], 3),
            "ratio": round(medians[name] / medians[f"import {module}"], 2),
        }
        for name, (module, _) in table.items()
    ]
    command = f"python benchmarks/startup.py --rounds {rounds}"
    measure.write("startup", {"command": command, **measure.setting(), "rounds": rounds, "rows": rows})
    for row in rows:
        print(f"{row['command']:<24} {row['ratio']:.2f} x {row['beside']}")


if __name__ == "__main__":
    main()
