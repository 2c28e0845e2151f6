"""What all benchmarks share: processes that are timed, what they ran on, and results files."""

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
"""Bytes in what `wait4` counts memory in (getrusage(2))."""


@dataclass(frozen=True)
class Finished:
    """A process that has ended well."""

    seconds: float
    """Wall time from its start to its end."""
    cpu_seconds: float
    """CPU time of it and of its children, user and system."""
    peak_memory: int
    """Most resident memory that it, or the largest of its children, had at a time, in bytes."""
    output: str
    """What it wrote to stdout."""


@dataclass(frozen=True)
class Trained:
    """A run of `cnn train` that has ended well."""

    process: Finished
    metrics: dict[str, Any]
    """Its metrics.json."""
    epochs: list[dict[str, Any]]
    """The lines of its history.jsonl."""


def run(*command: str | Path) -> Finished:
    """Run a command to its end; where it fails, so does the benchmark, with what it said."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)  # the times of this process, whatever runs beside it
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0), errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{errors.read()}")
        cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss * _MAXRSS_UNIT
        return Finished(seconds, cpu, memory, output.read())


def cnn(*arguments: str | Path) -> Finished:
    """Run the program of this environment."""
    return run(sys.executable, "-m", "cnn_cli", *arguments)


def train(*settings: str, folder: Path, start: Sequence[str] = ()) -> Trained:
    """Train on all cores, in a process of its own, with a run's folder below `folder`.

    Args:
        settings: the arguments of `cnn train`; a config that falls back to other data is refused.
        folder: holds the run afterwards, as `run`, in place of the last one.
        start: what starts the program in place of this Python: torchrun with its arguments.
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
    """MNIST as torchvision keeps it, extracted from the files that `cnn` finds."""
    from torchvision.datasets import MNIST

    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in cnn("data", "get").output.splitlines():
        (raw / Path(path).name).symlink_to(Path(path).absolute())
    MNIST(folder, download=True)
    return folder


def setting() -> dict[str, Any]:
    """Where a benchmark ran: processor, cores, versions."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("cnn-cli", "torch", "torchvision", "numpy", "pillow")},
    }


def read(name: str) -> dict[str, Any]:
    """The results file of that name; empty where there is none yet."""
    path = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def write(name: str, results: dict[str, Any]) -> None:
    """Write a results file whole: a benchmark that is stopped loses nothing that it had written."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(results, indent=2) + "\n")
    temporary.replace(path)
