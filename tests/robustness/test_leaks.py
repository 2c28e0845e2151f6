"""Memory and open files do not grow with the work."""

import os
import sys
import time
from pathlib import Path
from statistics import mean

import pytest
from helpers.cli import digit

from robustness.runs import write_config
from robustness.server import Server
from robustness.trials import Trials, scaled

pytestmark = [
    pytest.mark.robust,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

ALLOWED = 40.0
"""Megabytes that a process may grow between the first and the last third of its samples."""


def test_memory_does_not_grow(trials: Trials, tmp_path: Path) -> None:
    """Neither the epochs of a training nor the images of a prediction add to memory or to open files."""
    train = write_config(tmp_path)
    for number in range(300):
        digit(tmp_path / f"{number}.png")
    images = [tmp_path / f"{number % 300}.png" for number in range(scaled(6000, least=600))]
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{image}\n" for image in images))
    with Server(tmp_path / "server") as server:
        commands = {
            "training": (*train, f"train.epochs={scaled(300, least=60)}", "--out", tmp_path / "run"),
            "predicting": ("predict", f"--files-from={names}", "-k", "lenet"),
        }
        for name, command in commands.items():
            with trials.trial(name):
                memory, files = _samples(server, command)
                third = max(1, len(memory) // 3)
                growth = mean(memory[-third:]) - mean(memory[third : 2 * third] or memory)
                assert growth < ALLOWED, f"{growth:.0f} MB of growth"
                assert max(files) < 100, f"{max(files)} files are open"


def _samples(server: Server, command: tuple[object, ...]) -> tuple[list[float], list[int]]:
    """Return megabytes and open files of a command, again and again until it ends."""
    child = server.start(*command)
    memory, files = [], []
    while (pages := _resident(child.pid)) > 0:
        memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
        files.append(len(list(Path(f"/proc/{child.pid}/fd").iterdir())))
        time.sleep(0.02)
    child.wait().check(0)
    return memory, files


def _resident(pid: int) -> int:
    """Return the resident pages of a process; 0 once it has ended."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
