"""What all benchmarks share: processes that are timed, what they ran on, and results files."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Finished:
    """A process that has ended well."""

    seconds: float
    """Wall time from its start to its end."""
    cpu_seconds: float
    """CPU time of it and of its children, user and system."""
    output: str
    """What it wrote to stdout."""


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
        return Finished(seconds, used.ru_utime + used.ru_stime, output.read())


def cnn(*arguments: str | Path) -> Finished:
    """Run the program of this environment."""
    return run(sys.executable, "-m", "cnn_cli", *arguments)


def setting() -> dict[str, Any]:
    """Where a benchmark ran: processor, cores, versions."""
    return {
        "processor": _processor(),
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


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
