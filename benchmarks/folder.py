"""Measure how long a folder of many small images takes to open, and the memory of training on it.

    python benchmarks/folder.py        # 200,000 PNGs of 28x28: ten minutes on 2 cores; needs Linux's /proc

Draws the images into a temporary folder, trains on them twice, and writes results/folder.json.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from measure import setting, write
from PIL import Image

from cnn_cli.data.synthetic import drawing

IMAGES = 200_000
BLOCK = 10_000
EVERY = 0.02
"""Seconds between two measurements of the memory."""

COMMAND = (
    "cnn train --config lenet.yaml data.name=own data.root=FOLDER data.preprocessing=photo "
    "train.epochs=1 train.threads=1 train.device=cpu output.plot=false"
)


def draw(folder: Path, count: int) -> None:
    """Write `count` digits as PNGs, with a folder for each class."""
    for name in "0123456789":
        (folder / name).mkdir(parents=True)
    for start in range(0, count, BLOCK):
        images, labels = drawing.draw(min(BLOCK, count - start), start)
        for number, (image, label) in enumerate(zip(images, labels, strict=True), start):
            Image.fromarray(image).save(folder / str(label) / f"{number:06}.png")


def train(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run a training; return its times until training starts and in total, its peak memory, its accuracy."""
    started = time.perf_counter()
    lines: list[tuple[float, float, str]] = []
    streams = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **streams) as process:

        def listen() -> None:
            for line in process.stderr:
                lines.append((time.perf_counter() - started, cpu_seconds(process.pid), line))  # noqa: PERF401

        reader = threading.Thread(target=listen)
        reader.start()
        peak, processes = watch(process)
        reader.join()
        output = process.stdout.read()
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit("".join(line for _, _, line in lines))
    until, cpu = next((until, cpu) for until, cpu, line in lines if line.startswith("training"))
    result = json.loads(output.splitlines()[-1])
    return {
        "seconds_until_training": round(until, 1),
        "cpu_seconds_until_training": round(cpu, 1),
        "seconds": round(seconds, 1),
        "peak_memory_mb": round(peak / 1e6),
        "processes": processes,
        "test_accuracy": result["accuracy"],
        "test_images": result["n"],
    }


def watch(process: subprocess.Popen) -> tuple[int, int]:
    """Wait for the end of a process; return its peak memory in bytes and its peak number of processes."""
    peak, processes = 0, 0
    while process.poll() is None:
        tree = list(process_tree(process.pid))
        peak, processes = max(peak, sum(map(resident, tree))), max(processes, len(tree))
        time.sleep(EVERY)
    return peak, processes


def process_tree(process: int) -> list[int]:
    """Return a process and all processes below it."""
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:  # the process has just ended
        return []
    return [process, *(member for child in children for member in process_tree(child))]


def resident(process: int) -> int:
    """Return the resident memory of a process in bytes, including shared memory."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process and of the children that it waited for."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # the process has just ended
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def report(place: Path, count: int) -> dict[str, Any]:
    """Draw `count` images below `place`, train on them twice, and return the times and the memory."""
    folder = place / "digits"
    draw(folder, count)
    environment = os.environ | {"CNN_CACHE": str(place / "cache")}
    words = [word.replace("FOLDER", str(folder)) for word in COMMAND.split()[1:]]
    command = [sys.executable, "-m", "cnn_cli", *words, "--json", "--out"]
    first, second = (train([*command, str(place / f"run{number}")], environment) for number in (1, 2))
    return {
        "command": COMMAND,
        "images": count,
        "first": first,
        "second": second,
        "memory": "peak of the sum over all processes of their resident memory, shared pages counted in each",
        **setting(),
    }


def main() -> None:
    """Measure, write and show the result."""
    with tempfile.TemporaryDirectory() as place:
        result = report(Path(place), IMAGES)
    write("folder", result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
