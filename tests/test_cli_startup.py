"""Start-up: which modules a command does not import, and how much CPU time it takes."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.cli import environment

IMPORTED_AFTER = """
import io, sys
from contextlib import redirect_stderr, redirect_stdout
from cnn_cli.cli.app import run
with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
    code = run(sys.argv[1:])
print(code, *sys.modules)
"""

HEAVY = {"torch", "torchvision", "matplotlib", "numpy", "PIL"}
SCHEMA = {"pydantic", "yaml"}
NOT_FOR_READING = {
    "torch",
    "torchvision",
    "matplotlib",
    "pooch",
    "requests",
    "scipy",
    "sympy",
    "yaml",
}


def imported_by(*arguments: object) -> set[str]:
    """Return the modules of a new process after it has run the command."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED_AFTER, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    code, *modules = done.stdout.split()
    assert code == "0", arguments
    return set(modules)


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["--version"],
        ["version"],
        ["train", "--help"],
        ["predict", "--help"],
        ["read", "--help"],
        ["config", "list"],
    ],
)
def test_help_and_lists_load_nothing_heavy(workplace: Path, command: list[str]) -> None:
    assert not imported_by(*command) & (HEAVY | SCHEMA)


def test_a_config_is_shown_without_torch(workplace: Path) -> None:
    assert not imported_by("config", "show", "lenet") & HEAVY


@pytest.mark.parametrize(
    "command", [("predict", "-k", "lenet"), ("predict", "-k", "lenet", "-k", "best"), ("read",)], ids=len
)
def test_reading_loads_no_torch(workplace: Path, command: tuple[str, ...]) -> None:
    modules = imported_by(*command, "one.png")
    assert "numpy" in modules
    assert not modules & NOT_FOR_READING


def test_a_training_loads_no_compiler(workplace: Path) -> None:
    """torch's own optimizers would load it, which takes as long as `import torch`."""
    modules = imported_by("train", "--config", "tiny.yaml", "--out", "run")
    assert "torch" in modules
    assert not modules & {"torch._dynamo", "sympy", "torchvision", "matplotlib"}


def cpu_seconds(*arguments: object) -> float:
    """Return user plus system time of one Python process."""
    quiet = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    command = [sys.executable, *map(str, arguments)]
    process = os.posix_spawn(sys.executable, command, environment(), file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0, arguments
    return usage.ru_utime + usage.ru_stime


def ratio(command: list[object], reference: list[object], repeats: int) -> float:
    """Return the median CPU time of the command over that of the reference; their runs alternate."""
    pairs = [(cpu_seconds(*command), cpu_seconds(*reference)) for _ in range(repeats)]
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"{' '.join(map(str, command))}: {ours:.3f} s, {ours / theirs:.2f} x {' '.join(map(str, reference))}"
    )
    return ours / theirs


@pytest.mark.slow
@pytest.mark.parametrize("command", [["--help"], ["config", "list"]], ids=" ".join)
def test_help_takes_at_most_three_times_as_long_as_importing_typer(command: list[object]) -> None:
    assert ratio(["-m", "cnn_cli", *command], ["-c", "import typer, rich"], repeats=15) <= 3


@pytest.mark.slow
def test_a_prediction_takes_a_third_of_importing_torch(workplace: Path, trained_run: Path) -> None:
    command = ["-m", "cnn_cli", "predict", "one.png", "-k", trained_run]
    assert ratio(command, ["-c", "import torch"], repeats=7) <= 0.35
