"""Several processes at once: on one run, one cache, one results file."""

import shutil
import signal
import time
from pathlib import Path

import pytest

from robustness.runs import figures, leftovers, weights, write_config
from robustness.server import Server
from robustness.trials import Trials, scaled

pytestmark = [pytest.mark.robust, pytest.mark.timeout(1800)]

SLOW = """
import time
import cnn_cli.training.run as run
real = run.Run._save
def slow(self, folder, record):
    real(self, folder, record)
    time.sleep(0.3)
run.Run._save = slow
"""
"""Python that makes each epoch take longer."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


def _started(server: Server, run: Path, *arguments: object):
    """Start a command that trains in `run`, and wait until it has the lock."""
    child, owner = server.start(*arguments, before=SLOW), run / ".owner"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if owner.exists() and f"process {child.pid} on " in owner.read_text():  # not one that was killed
            break
        time.sleep(0.005)
    return child


def test_a_second_writer_is_refused(trials: Trials, server: Server, tmp_path: Path) -> None:
    """A second process that would write into a run is refused; the first ends as if it were alone."""
    train = write_config(tmp_path)
    run, overwrite = tmp_path / "run", ("--overwrite", "seed=1")
    server.run(*train, "--out", tmp_path / "reference").check(0)
    assert server.run(*train, "--out", run, before=_killed_after(1)).code == -signal.SIGKILL
    stopped = shutil.copytree(run, tmp_path / "stopped")
    commands = {
        "--resume": ("train", "--resume", run),
        "--overwrite": (*train, "--out", run, *overwrite),
    }
    for number in range(scaled(10)):
        for name, command in commands.items():
            shutil.rmtree(run)
            shutil.copytree(stopped, run)
            first = _started(server, run, "train", "--resume", run)
            with trials.trial(f"{name} {number}"):
                second = server.run(*command)
                second.check(2)
                assert f"another process trains this run (process {first.pid} on " in second.err
            with trials.trial(f"first {number}"):
                first.wait().check(0)
                assert weights(run) == weights(tmp_path / "reference")
                assert figures(run) == figures(tmp_path / "reference")


def _killed_after(epochs: int) -> str:
    """Return Python that kills its own process after some epochs."""
    return SLOW.replace(
        "time.sleep(0.3)",
        f"import os, signal; len(self.loop.history) == {epochs} and os.kill(os.getpid(), signal.SIGKILL)",
    )


def test_a_lock_of_a_dead_process_is_taken_over(trials: Trials, server: Server, tmp_path: Path) -> None:
    """A run whose process was killed is resumed or replaced at once."""
    train, run = write_config(tmp_path), tmp_path / "run"
    for number in range(scaled(8)):
        shutil.rmtree(run, ignore_errors=True)
        with trials.trial(f"--resume {number}"):
            assert server.run(*train, "--out", run, before=_killed_after(1)).code == -signal.SIGKILL
            assert (run / ".owner").exists()
            server.run("train", "--resume", run).check(0)
        with trials.trial(f"--overwrite {number}"):
            before = weights(run)
            again = (*train, "--out", run, "--overwrite", "seed=1")
            assert server.run(*again, before=_killed_after(1)).code == -signal.SIGKILL
            assert weights(run) == before, "the finished checkpoint is lost"
            server.run(*again).check(0)
            assert weights(run) != before


def test_runs_that_start_together_get_folders_of_their_own(
    trials: Trials, server: Server, tmp_path: Path
) -> None:
    """Trainings that start at the same time share caches, get different folders and the same bytes."""
    for number in range(scaled(3)):
        train = write_config(tmp_path / str(number))
        children = [server.start(*train, "--out", tmp_path / str(number) / "run") for _ in range(6)]
        for child in children:
            with trials.trial(f"round {number}"):
                child.wait().check(0)
        runs = sorted((tmp_path / str(number)).glob("run*"))
        trials.check(len(runs) == 6, f"round {number}: {len(runs)} folders")
        trials.check(len({weights(run) for run in runs}) == 1, f"round {number}: different bytes")
        trials.check(not leftovers(tmp_path), f"round {number}: {leftovers(tmp_path)}")


def test_a_reader_always_finds_a_whole_checkpoint(trials: Trials, server: Server, tmp_path: Path) -> None:
    """Predictions succeed while a training replaces its checkpoint, and while another replaces the run."""
    from helpers.cli import digit

    train, image = write_config(tmp_path), digit(tmp_path / "one.png")
    server.run(*train, "--out", tmp_path / "run").check(0)
    writer = server.start(*train, "--out", tmp_path / "run", "--overwrite", "train.epochs=400")
    for number in range(scaled(40)):
        with trials.trial(f"prediction {number}"):
            server.run("predict", image, "-k", tmp_path / "run").check(0)
    writer.send(signal.SIGTERM)
    with trials.trial("the writer"):
        writer.wait().check(0, 143)


def test_two_benchmarks_do_not_mix(trials: Trials, server: Server, tmp_path: Path) -> None:
    """A second benchmark of the same file is refused, and the first ends as if it were alone."""
    write_config(tmp_path)
    bench = ("bench", "--config", tmp_path / "small.yaml", "--seeds", "2", f"data.root={tmp_path / 'data'}")
    for number in range(scaled(4)):
        file = tmp_path / f"bench-{number}.json"
        first = _started(server, file.with_suffix(""), *bench, "--out", file)
        with trials.trial(f"second {number}"):
            second = server.run(*bench, "--out", file)
            second.check(2)
            assert "another cnn bench is writing it" in second.err
        with trials.trial(f"first {number}"):
            first.wait().check(0)
