"""How long `cnn predict` takes for very many images, beside decoding them with Pillow, and its memory.

    python benchmarks/predict.py [--rounds 3]      # 10,000 PNGs of each size: needs Linux's /proc

Of MNIST's size, of a drawing program's canvas, of a scan: digits on paper, the scan's with a camera's noise.
Both sides are whole processes, use all cores and take turns: `cnn predict FOLDER`, and a pool of processes
that opens and decodes every file with Pillow. What each takes for a few images, enough for all of its
processes to start, is its start-up. What counts is CPU time, which a busy machine changes least; wall time is
noted. Writes results/predict.json.
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

IMAGES = 10_000
SIDES = {28: "MNIST's size", 280: "a drawing", 1000: "a scan"}
DRAWN = 200
"""Different images; the others are the same files under other names."""
NOISE = 3.0
"""Standard deviation of a scan's gray, in levels."""
CHUNK = 64
"""Images of a job, as `cnn predict` has them in a batch."""
FEW = 4 * CHUNK
"""Images whose time is start-up."""


def draw(folder: Path, count: int, side: int) -> None:
    """Write `count` digits as PNGs of that side."""
    images, _ = synthetic.draw(min(count, DRAWN), 0)
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(count):
        path = folder / f"{number:05}.png"
        if number >= DRAWN:
            path.hardlink_to(folder / f"{number % DRAWN:05}.png")
            continue
        image = Image.fromarray(images[number])
        if side > images.shape[1]:
            ink = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC), np.float32)
            noise = random.normal(0, NOISE if SIDES[side] == "a scan" else 0, ink.shape)
            image = Image.fromarray(np.clip(240 - 200 / 255 * ink + noise, 0, 255).astype(np.uint8))
        image.save(path)


def decode(paths: list[Path]) -> int:
    """Open and decode images with Pillow; returns their pixels."""
    total = 0
    for path in paths:
        with Image.open(path) as image:
            image.load()
            total += image.width * image.height
    return total


def reference(folder: Path) -> None:
    """Decode all images of a folder on all cores: what `--reference` runs."""
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
    ours = [sys.executable, "-m", "cnn_cli", "predict", "--csv"]
    theirs = [sys.executable, __file__, "--reference"]
    for number in (count, FEW):
        for side in SIDES:
            draw(place / f"{side}, {number}", number, side)
    commands = {
        f"{name}, {side}, {number}": [*command, str(place / f"{side}, {number}")]
        for side in SIDES
        for number in (FEW, count)
        for name, command in (("cnn predict", ours), ("pillow", theirs))
    }
    runs: dict[str, list[measure.Finished]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(measure.run(*command))
    return {
        name: {
            "cpu_seconds": round(statistics.median(run.cpu_seconds for run in runs[name]), 2),
            "seconds": round(statistics.median(run.seconds for run in runs[name]), 2),
        }
        | ({"peak_memory_mb": peak_memory(command)} if not name.endswith(f", {FEW}") else {})
        for name, command in commands.items()
    }


def report(medians: dict[str, Any], count: int, rounds: int) -> dict[str, Any]:
    """The figures, and the ratios that they are measured for."""
    sizes = {}
    for side, what in SIDES.items():
        ours, theirs, first, bare = (
            medians[f"{name}, {side}, {number}"]
            for number in (count, FEW)
            for name in ("cnn predict", "pillow")
        )
        decoding = theirs["cpu_seconds"] - bare["cpu_seconds"]
        work = ours["cpu_seconds"] - first["cpu_seconds"]
        sizes[f"{side}x{side}, {what}"] = {
            "start_up_cpu_seconds": first["cpu_seconds"],
            "work_cpu_seconds": round(work, 2),
            "decoding_cpu_seconds": round(decoding, 2),
            "ratio": round(work / decoding, 2),
            "seconds": ours["seconds"],
            "decoding_seconds": theirs["seconds"],
            "peak_memory_mb": ours["peak_memory_mb"],
        }
    return {
        "command": f"python benchmarks/predict.py --rounds {rounds} --images {count}",
        "images": count,
        "sizes": sizes,
        "ratio": f"CPU time beyond that of {FEW} images, in that of decoding beyond its own",
        "memory": "peak of the sum over all processes of their resident memory, shared pages counted in each",
        **measure.setting(),
    }


def main() -> None:
    """Measure, write, show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reference", type=Path, help="decode this folder's images with Pillow, no more")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=IMAGES)
    options = parser.parse_args()
    if options.reference:
        return reference(options.reference)
    with tempfile.TemporaryDirectory() as place:
        medians = compared(Path(place), options.images, options.rounds)
    result = report(medians, options.images, options.rounds)
    measure.write("predict", result)
    for name, figures in result["sizes"].items():
        print(f"{name:<22}", figures)
    return None


if __name__ == "__main__":
    main()
