"""How long `cnn predict` takes for many small pictures, beside decoding them with Pillow, and its memory.

    python benchmarks/predict.py [--rounds 3]      # 10,000 PNGs: some minutes on 2 cores; needs Linux's /proc

Half of the pictures are digits of 28x28, half such digits drawn black on white in 280x280. Both sides are
whole processes, use all cores and take turns: `cnn predict FOLDER`, and a pool of processes that opens and
decodes every file with Pillow. What each takes for one picture is its start-up. What counts is CPU time,
which a busy machine changes least; wall time is noted. Writes results/predict.json.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import measure
import numpy as np
from folder import watch
from PIL import Image

from cnn_cli.data import synthetic

PICTURES = 10_000
LARGE = 280
CHUNK = 64
"""Pictures of a job, as `cnn predict` has them in a batch."""


def draw(folder: Path, count: int) -> None:
    """Write `count` digits as PNGs, the two sizes in turns."""
    images, _ = synthetic.draw(count, 0)
    folder.mkdir()
    for number, digit in enumerate(images):
        picture = Image.fromarray(digit)
        if number % 2:
            large = np.asarray(picture.resize((LARGE, LARGE), Image.Resampling.BICUBIC))
            picture = Image.fromarray(255 - large)
        picture.save(folder / f"{number:05}.png")


def decode(paths: list[Path]) -> int:
    """Open and decode pictures with Pillow; returns their pixels."""
    total = 0
    for path in paths:
        with Image.open(path) as picture:
            picture.load()
            total += picture.width * picture.height
    return total


def reference(folder: Path) -> None:
    """Decode all pictures of a folder on all cores: what `--reference` runs."""
    paths = sorted(folder.glob("*.png"))
    jobs = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    with get_context("spawn").Pool() as pool:
        print(sum(pool.imap(decode, jobs)))


def peak_memory(command: list[str]) -> int:
    """Most megabytes that a process holds with all that it starts."""
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        peak, _ = watch(process)
    return round(peak / 1e6)


def compared(place: Path, count: int, rounds: int) -> dict[str, Any]:
    """Run all in turns: median seconds, and the memory of one further run."""
    draw(place / "many", count)
    draw(place / "one", 1)
    ours = [sys.executable, "-m", "cnn_cli", "predict", "--csv"]
    theirs = [sys.executable, __file__, "--reference"]
    commands = {
        f"{name}, {size}": [*command, str(place / size)]
        for name, command in (("cnn predict", ours), ("pillow", theirs))
        for size in ("one", "many")
    }
    runs: dict[str, list[measure.Finished]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(measure.run(*command))
    return {
        name: {
            "cpu_seconds": round(statistics.median(run.cpu_seconds for run in runs[name]), 2),
            "seconds": round(statistics.median(run.seconds for run in runs[name]), 2),
            "peak_memory_mb": peak_memory(command),
        }
        for name, command in commands.items()
    }


def report(medians: dict[str, Any], count: int, rounds: int) -> dict[str, Any]:
    """The figures, and the ratios that they are measured for."""
    seconds = {name: figures["cpu_seconds"] for name, figures in medians.items()}
    work = {name: seconds[f"{name}, many"] - seconds[f"{name}, one"] for name in ("cnn predict", "pillow")}
    return {
        "command": "cnn predict --csv FOLDER",
        "pictures": count,
        "what": f"half 28x28, half {LARGE}x{LARGE}, grey PNGs of synthetic digits",
        "rounds": rounds,
        "medians": medians,
        "ratios": "of CPU time",
        "ratio_without_startup": round(work["cnn predict"] / work["pillow"], 2),
        "ratio_to_decoding_and_startup": round(
            seconds["cnn predict, many"] / (work["pillow"] + seconds["cnn predict, one"]), 2
        ),
        "memory": "peak of the sum over all processes of their resident memory, shared pages counted in each",
        **measure.setting(),
    }


def main() -> None:
    """Measure, write, show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reference", type=Path, help="decode this folder's pictures with Pillow, no more")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=PICTURES)
    options = parser.parse_args()
    if options.reference:
        return reference(options.reference)
    with tempfile.TemporaryDirectory() as place:
        medians = compared(Path(place), options.pictures, options.rounds)
    result = report(medians, options.pictures, options.rounds)
    measure.write("predict", result)
    for name, figures in medians.items():
        print(f"{name:<20}", figures)
    print({key: value for key, value in result.items() if key.startswith("ratio")})
    return None


if __name__ == "__main__":
    main()
