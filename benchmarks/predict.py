"""Time and memory of `cnn predict` for 10,000 images, compared with decoding them with Pillow.

    python benchmarks/predict.py [--rounds 3]      # 10,000 PNGs of each size: needs Linux's /proc

The images have the size of MNIST's digits, of a drawing program's canvas, and of a scan (with noise). Both
programs run as separate processes, use all cores and take turns: `cnn predict FOLDER`, and a pool of
processes that opens and decodes every file with Pillow. The time for a few images, enough for all worker
processes to start, is the start-up. The ratio is that of CPU times, which a busy machine changes least; wall
time is recorded too. Writes results/predict.json.
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
"""Distinct images; the others are the same files under other names."""
NOISE = 3.0
"""Standard deviation of a scan's noise, in gray levels."""
CHUNK = 64
"""Images per job, as in a batch of `cnn predict`."""
FEW = 4 * CHUNK
"""Images whose time counts as start-up."""


def draw(folder: Path, count: int, side: int) -> None:
    """Write `count` digits as PNGs with this side, in pixels."""
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
    """Open and decode images with Pillow; return their number of pixels."""
    total = 0
    for path in paths:
        with Image.open(path) as image:
            image.load()
            total += image.width * image.height
    return total


def reference(folder: Path) -> None:
    """Decode all images of a folder on all cores; `--reference` runs this."""
    paths = sorted(folder.glob("*.png"))
    jobs = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    with get_context("spawn").Pool() as pool:
        print(sum(pool.imap(decode, jobs)))


def peak_memory(command: list[str]) -> int:
    """Return the peak memory in MB of a process with all processes that it starts."""
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        peak, _ = watch(process)
    return round(peak / 1e6)


def compare(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    """Run all commands in turns; return median seconds, and the peak memory of one further run."""
    cnn = [sys.executable, "-m", "cnn_cli", "predict", "--csv"]
    pillow = [sys.executable, __file__, "--reference"]
    for number in (count, FEW):
        for side in SIDES:
            draw(folder / f"{side}, {number}", number, side)
    commands = {
        f"{name}, {side}, {number}": [*command, str(folder / f"{side}, {number}")]
        for side in SIDES
        for number in (FEW, count)
        for name, command in (("cnn predict", cnn), ("pillow", pillow))
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
    """Return the figures and their ratios."""
    sizes = {}
    for side, what in SIDES.items():
        cnn, pillow, cnn_start, pillow_start = (
            medians[f"{name}, {side}, {number}"]
            for number in (count, FEW)
            for name in ("cnn predict", "pillow")
        )
        decoding = pillow["cpu_seconds"] - pillow_start["cpu_seconds"]
        work = cnn["cpu_seconds"] - cnn_start["cpu_seconds"]
        sizes[f"{side}x{side}, {what}"] = {
            "start_up_cpu_seconds": cnn_start["cpu_seconds"],
            "work_cpu_seconds": round(work, 2),
            "decoding_cpu_seconds": round(decoding, 2),
            "ratio": round(work / decoding, 2),
            "seconds": cnn["seconds"],
            "decoding_seconds": pillow["seconds"],
            "peak_memory_mb": cnn["peak_memory_mb"],
        }
    return {
        "command": f"python benchmarks/predict.py --rounds {rounds} --images {count}",
        "images": count,
        "sizes": sizes,
        "ratio": f"CPU time of cnn predict / of decoding, each without its time for {FEW} images",
        "memory": "peak resident memory, summed over all processes; shared pages count in each",
        **measure.setting(),
    }


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reference", type=Path, help="only decode this folder's images with Pillow")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=IMAGES)
    options = parser.parse_args()
    if options.reference:
        return reference(options.reference)
    with tempfile.TemporaryDirectory() as folder:
        medians = compare(Path(folder), options.images, options.rounds)
    result = report(medians, options.images, options.rounds)
    measure.write("predict", result)
    for name, figures in result["sizes"].items():
        print(f"{name:<22}", figures)
    return None


if __name__ == "__main__":
    main()
