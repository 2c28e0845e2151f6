"""Interrupted writes: every operation on a file fails, or is the last thing that the process does."""

import errno
import shutil
import signal
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from robustness.fuzz import generator
from robustness.runs import check_readable, figures, leftovers, weights, write_config
from robustness.server import FAIL, KILL, NONE, TEAR, Ended, Fault, Server
from robustness.trials import Trials, scaled

pytestmark = [
    pytest.mark.robust,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not shutil.which("gcc"), reason="faults are injected by a library that gcc compiles"),
]

FAULTS = {
    "killed before": (KILL, 0, False),
    "killed within": (TEAR, 0, False),
    "input/output error": (FAIL, errno.EIO, False),
    "disk full once": (FAIL, errno.ENOSPC, False),
    "disk full from there on": (FAIL, errno.ENOSPC, True),
}

RECORD = """
import hashlib, os
real = os.replace
def recorded(source, target, **more):
    if str(target).endswith("model.safetensors"):
        with open({log!r}, "a") as log:
            log.write(hashlib.sha256(open(source, "rb").read()).hexdigest() + "\\n")
    return real(source, target, **more)
os.replace = recorded
"""


@dataclass
class Case:
    """A command whose writes are interrupted, and what an uninterrupted one writes.

    Args:
        name: of the command.
        arguments: of `cnn`.
        before: the folder of the run as it is before; None if there is none.
    """

    name: str
    arguments: tuple[str, ...]
    before: Path | None
    operations: int = 0
    versions: set[str | None] = field(default_factory=set)
    """Digests of the checkpoints that a reader may find."""
    results: dict[str | None, tuple] = field(default_factory=dict)
    """Digest of a finished run's checkpoint -> its figures."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    with Server(tmp_path_factory.mktemp("server"), faults=True) as running:
        yield running


@pytest.fixture(scope="module")
def cases(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """A new run, one that replaces another, and one that continues, by name."""
    folder = tmp_path_factory.mktemp("cases")
    train, run = write_config(folder), folder / "run"
    new = Case("train", (*train, "--out", str(run)), None)
    _measure(server, new, run)
    finished = Path(shutil.copytree(run, folder / "finished"))
    replacing = Case("train --overwrite", (*train, "--out", str(run), "--overwrite", "seed=1"), finished)
    _measure(server, replacing, run)
    shutil.rmtree(run)
    middle = Fault(run, new.operations // 2, KILL)
    assert server.run(*new.arguments, fault=middle).code == -signal.SIGKILL
    stopped = Path(shutil.copytree(run, folder / "stopped"))
    continued = Case("train --resume", ("train", "--resume", str(run)), stopped)
    _measure(server, continued, run)
    return {case.name: case for case in (new, replacing, continued)}


def _measure(server: Server, case: Case, run: Path) -> None:
    """Run a case to its end, uninterrupted."""
    _restore(case, run)
    log = run.parent / f"{case.name.replace(' ', '')}.log"
    case.versions.add(weights(run))
    if (run / "metrics.json").exists():
        case.results[weights(run)] = figures(run)
    ended = server.run(*case.arguments, before=RECORD.format(log=str(log)), fault=Fault(run, 0, NONE))
    ended.check(0)
    case.operations = ended.operations
    case.versions |= set(log.read_text().split())
    case.results[weights(run)] = figures(run)
    assert case.operations > 40
    assert not leftovers(run)


def _restore(case: Case, run: Path) -> None:
    shutil.rmtree(run, ignore_errors=True)
    if case.before is not None:
        shutil.copytree(case.before, run)


@pytest.mark.parametrize("command", ["train", "train --overwrite", "train --resume"])
def test_an_interrupted_write_keeps_the_file_before_it(
    trials: Trials, server: Server, cases: dict[str, Case], command: str
) -> None:
    """A write that is interrupted at any operation keeps the old file; the run can still go on."""
    case, run = cases[command], Path(cases["train"].arguments[-1])
    grid = list(product(FAULTS, range(1, case.operations + 1)))
    draws = generator(f"interrupted writes of {command}")
    for name, number in draws.sample(grid, min(len(grid), scaled(334))):
        with trials.trial(f"{name} operation {number} of {case.operations}"):
            _restore(case, run)
            before = leftovers(run)
            kind, code, and_later = FAULTS[name]
            ended = server.run(*case.arguments, fault=Fault(run, number, kind, code, and_later))
            _check_end(ended, kind)
            if kind == FAIL and not and_later:
                assert set(leftovers(run)) <= set(before), "a handled error leaves temporary files"
            _check_and_continue(server, case, run)


def _check_end(ended: Ended, kind: int) -> None:
    if kind == FAIL:
        ended.check(0, 1, 2, 3)
        assert ended.code == 0 or "error: " in ended.err, ended.err
    elif ended.code != 0:  # an operation that is skipped, since the time of a message changes the history
        ended.check(-signal.SIGKILL)


def _check_and_continue(server: Server, case: Case, run: Path) -> None:
    """Check what an interrupted command left, continue it, and check the end."""
    assert weights(run) in case.versions | {None}, "the checkpoint is none that was written"
    if case.before is not None:
        assert weights(run), "the checkpoint is lost"
    check_readable(run)
    has_state = (run / "state.safetensors").exists()
    ended = server.run("train", "--resume", run)
    if not has_state:
        ended.check(3)
        return
    ended.check(0)
    assert figures(run) == case.results[weights(run)], "another result"
    assert not leftovers(run), f"temporary files stay: {leftovers(run)}"


def test_a_run_that_is_killed_at_a_random_moment_loses_nothing(
    trials: Trials, server: Server, cases: dict[str, Case]
) -> None:
    """A run that is killed at a random moment has a whole checkpoint, and goes on to the same bytes."""
    case, draws = cases["train"], generator("kills")
    run = Path(case.arguments[-1])
    _restore(case, run)
    length = server.run(*case.arguments).seconds
    for number in range(scaled(100)):
        with trials.trial(f"kill {number}"):
            _restore(case, run)
            child = server.start(*case.arguments)
            signal.sigtimedwait([], draws.uniform(0, length))
            child.send(signal.SIGKILL)
            child.wait().check(0, -signal.SIGKILL)
            if run.exists():
                _check_and_continue(server, case, run)
