"""Functions of all benchmarks: timed processes, the description of the machine, results files."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cnn_cli.training.machine import processor

RESULTS = Path(__file__).parent / "results"

_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in the unit of memory of `wait4` (getrusage(2))."""


@dataclass(frozen=True)
class Finished:
    """A process that has succeeded."""

    seconds: float
    """Wall time from its start to its end."""
    cpu_seconds: float
    """CPU time of the process and its children, user and system."""
    peak_memory: int
    """Peak resident memory of the process, or of the largest of its children, in bytes."""
    output: str
    """The text on stdout."""


@dataclass(frozen=True)
class Trained:
    """A run of `cnn train` that has succeeded."""

    process: Finished
    metrics: dict[str, Any]
    """Its metrics.json."""
    epochs: list[dict[str, Any]]
    """The lines of its history.jsonl."""


def run(*command: str | Path) -> Finished:
    """Run a command to its end. If it fails, exit with its error output."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)  # the times of this process only
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0), errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{errors.read()}")
        cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss * _MAXRSS_UNIT
        return Finished(seconds, cpu, memory, output.read())


def cnn(*arguments: str | Path) -> Finished:
    """Run the `cnn` of this environment."""
    return run(sys.executable, "-m", "cnn_cli", *arguments)


def train(*settings: str, folder: Path, start: Sequence[str] = ()) -> Trained:
    """Train on all cores in a new process, with the folder of the run below `folder`.

    Args:
        settings: the arguments of `cnn train`; a fallback to other data is an error.
        folder: contains the run afterwards, as `run`, and no longer the previous one.
        start: further arguments of Python before the program: torchrun with its arguments.
    """
    run_folder = folder / "run"
    words = (
        "train",
        *settings,
        "data.fallback=none",
        "output.plot=false",
        "--out",
        run_folder,
        "--overwrite",
    )
    done = run(sys.executable, *start, "-m", "cnn_cli", *words)
    history = (run_folder / "history.jsonl").read_text().splitlines()
    metrics = json.loads((run_folder / "metrics.json").read_text())
    return Trained(done, metrics, [json.loads(line) for line in history])


def torchvision_root(folder: Path) -> Path:
    """Extract the MNIST files that `cnn` finds to where torchvision expects them."""
    from torchvision.datasets import MNIST

    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in cnn("data", "get").output.splitlines():
        (raw / Path(path).name).symlink_to(Path(path).absolute())
    MNIST(folder, download=True)
    return folder


def setting() -> dict[str, Any]:
    """Return the machine of a benchmark: processor, cores, versions."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("cnn-cli", "torch", "torchvision", "numpy", "pillow")},
    }


def read(name: str) -> dict[str, Any]:
    """Return the content of a results file, or an empty one if there is none."""
    path = RESULTS / f"{name}.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return results


def write(name: str, results: dict[str, Any]) -> None:
    """Write a results file in one step, so that a stopped benchmark loses nothing that it has written."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(results, indent=2) + "\n")
    temporary.replace(path)
