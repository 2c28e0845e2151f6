"""What a command costs before its work begins, beside the import that it cannot do without.

    python benchmarks/startup.py [--rounds 9]

Commands and imports take turns, so that a busy minute hits both. What counts are medians of CPU time, as
ratios.
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
    """Title -> the import that it is compared with, and its arguments."""
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
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    rows: list[dict[str, Any]] = [
        {
            "command": f"cnn {name}",
            "beside": f"import {beside}",
            "cpu_seconds": round(medians[name], 3),
            "beside_cpu_seconds": round(medians[f"import {beside}"], 3),
            "ratio": round(medians[name] / medians[f"import {beside}"], 2),
        }
        for name, (beside, _) in table.items()
    ]
    command = f"python benchmarks/startup.py --rounds {rounds}"
    measure.write("startup", {"command": command, **measure.setting(), "rounds": rounds, "rows": rows})
    for row in rows:
        print(f"{row['command']:<24} {row['ratio']:.2f} x {row['beside']}")


if __name__ == "__main__":
    main()
