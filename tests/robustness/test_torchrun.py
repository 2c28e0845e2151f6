"""Processes of torchrun that are killed, fail, or get a signal."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.cli import environment

from robustness.runs import write_config
from robustness.trials import Trials, scaled

pytestmark = [
    pytest.mark.robust,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

OURS = re.compile(r"^(error|warning|stopping|terminated|interrupted)", re.MULTILINE)
LAUNCHER = "torch/distributed/elastic"
"""What torchrun itself writes about processes that failed contains this; its traceback is its own."""


@contextmanager
def _processes(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Start two processes that train together."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    process = subprocess.Popen(
        [*command, "-m", "cnn_cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)


def _rank(process: "subprocess.Popen[str]", number: int) -> int:
    """Return the process id of one of the processes that torchrun has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        if f"\0RANK={number}\0" in Path(f"/proc/{child}/environ").read_text():
            return int(child)
    raise AssertionError(f"there is no process {number}")


def _ours(err: str) -> list[str]:
    """Return the lines of the program about what went wrong."""
    return [line for line in err.splitlines() if OURS.match(line)]


def _end(process: "subprocess.Popen[str]") -> str:
    """Return what was written to stderr until the end, which comes in time."""
    started = time.monotonic()
    _, err = process.communicate(timeout=90)
    assert process.returncode == 1, f"torchrun ends with 1, not {process.returncode}: {err[-300:]}"
    assert time.monotonic() - started < 40, "took too long"
    assert "bug in cnn" not in err
    assert "gloo" not in err, err
    return err


def test_a_lost_process_ends_the_others_with_one_message(trials: Trials, tmp_path: Path) -> None:
    """When a process is killed, each other one ends with one message; what was saved can be resumed."""
    train = write_config(tmp_path)
    for victim in (0, 1)[: scaled(2)]:
        run = tmp_path / f"lost-{victim}"
        with (
            trials.trial(f"process {victim}"),
            _processes(*train, "train.epochs=9999", "--out", run) as process,
        ):
            _wait_for(run / "history.jsonl", process)
            os.kill(_rank(process, victim), signal.SIGKILL)
            lines = _ours(_end(process))
            message = f"error: process {1 - victim} of 2: another process has failed or was killed"
            assert lines == [message], lines
            assert (run / "state.safetensors").exists()


def test_a_signal_to_torchrun_or_one_process_stops_all(trials: Trials, tmp_path: Path) -> None:
    """A signal to torchrun, or to one of its processes, stops all of them, with everything saved."""
    train = write_config(tmp_path)
    kinds = [(signal.SIGTERM, None), (signal.SIGINT, None), (signal.SIGTERM, 1), (signal.SIGINT, 0)]
    for kind, rank in kinds[: scaled(4)]:
        run = tmp_path / f"signal-{kind}-{rank}"
        what = f"{kind.name} to {'torchrun' if rank is None else f'process {rank}'}"
        with trials.trial(what), _processes(*train, "train.epochs=9999", "--out", run) as process:
            _wait_for(run / "history.jsonl", process)
            os.kill(process.pid if rank is None else _rank(process, rank), kind)
            lines = _ours(_end(process))
            assert len(lines) == 1, lines
            assert lines[0].startswith("error: stopped after"), lines
            assert (run / "state.safetensors").exists()


def test_an_error_of_all_processes_is_reported_once(trials: Trials, tmp_path: Path) -> None:
    """An error that all processes have is written once."""
    train = write_config(tmp_path)
    missing = (f"data.root={tmp_path / 'none'}", "data.download=false", "data.fallback=none")
    cases = {
        "no such config": ("train", "--config", "nothing"),
        "data that is not there": (*train, "data.name=mnist", *missing),
        "a loss that is not finite": (*train, "train.lr=1e30", "train.optimizer=sgd"),
        "a step that is too small": (*train, "train.batch_size=1"),
    }
    for name, arguments in list(cases.items())[: scaled(4)]:
        out = () if "nothing" in arguments else ("--out", tmp_path / name)
        with trials.trial(name), _processes(*arguments, *out) as process:
            lines = [line for line in _ours(_end(process)) if line.startswith("error")]
            assert len(lines) == 1, lines
