"""Worker processes: results in order, no torch, and no worker is left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import jobs
from helpers.cli import environment, wait_for

from cnn_cli import workers
from cnn_cli.errors import DataError

LINUX = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")


@pytest.fixture(autouse=True)
def three_cores(monkeypatch) -> None:
    monkeypatch.setattr(workers, "cores", lambda: 3)


def test_results_of_several_workers_come_in_the_order_of_the_jobs():
    results = list(workers.map_ordered(jobs.slower_first, range(40)))
    assert [number for number, _ in results] == list(range(40))
    processes = {process for _, process in results}
    assert os.getpid() not in processes
    assert 2 <= len(processes) <= 3


def test_one_job_needs_no_worker():
    assert list(workers.map_ordered(jobs.slower_first, [7])) == [(7, os.getpid())]
    assert list(workers.map_ordered(jobs.slower_first, [])) == []


def test_workers_import_no_torch():
    for modules in workers.map_ordered(jobs.loaded, range(2)):
        assert "helpers.jobs" in modules
        assert not {"torch", "torchvision", "rich", "pydantic"} & set(modules)


def test_an_error_of_a_job_is_raised_unchanged():
    taken = []
    with pytest.raises(DataError, match="five") as caught:
        taken.extend(workers.map_ordered(jobs.fail_at_five, range(20)))
    assert caught.value.hint == "no fives"


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_a_killed_worker_is_an_error_and_not_an_endless_wait():
    with pytest.raises(DataError, match="was killed, most likely because memory ran out"):
        list(workers.map_ordered(jobs.die_at_five, range(20)))


SCRIPT = """
from cnn_cli import workers
workers.cores = lambda: 3
print("the script runs", __spec__ is None, __file__[-9:])
print(sum(workers.map_ordered(abs, range(-20, 0))), __spec__ is None, __file__[-9:])
"""


def test_a_script_that_uses_workers_runs_once_and_needs_no_main_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=100, env=environment()
    )
    assert done.stderr == ""
    assert done.stdout == "the script runs True script.py\n210 True script.py\n"


WAITING = """
import sys, time
from cnn_cli import workers
if __name__ == "__main__":
    workers.cores = lambda: 2
    print("ready", flush=True)
    list(workers.map_ordered(time.sleep, [60] * 4))
"""


def children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(word) for task in tasks for word in task.read_text().split()]


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@LINUX
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "waiting.py").write_text(WAITING)
    with subprocess.Popen([sys.executable, tmp_path / "waiting.py"], env=environment()) as parent:
        try:
            wait_for(lambda: len(children(parent.pid)) >= 3)  # two, and Python's resource tracker
            time.sleep(1)  # until they have started and sleep
            started = children(parent.pid)
        finally:
            parent.kill()
    wait_for(lambda: not any(map(is_alive, started)))


def test_closing_ends_the_running_jobs():
    started = time.monotonic()
    results = workers.map_ordered(time.sleep, [0, *[100] * 9])
    next(results)
    results.close()
    assert time.monotonic() - started < 60


@LINUX
@pytest.mark.parametrize("delay", [0, 0.01, 0.02, 0.04, 0.06, 0.1, 0.2])
def test_ctrl_c_while_workers_start_is_handled_by_the_parent_only(tmp_path, delay):
    """A terminal sends it to all processes."""
    (tmp_path / "waiting.py").write_text(WAITING)
    command = [sys.executable, tmp_path / "waiting.py"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment(), stderr=pipe, text=True, start_new_session=True
    ) as parent:
        wait_for(lambda: len(children(parent.pid)) >= 2)  # Python's resource tracker, and the first of two
        time.sleep(delay)
        os.killpg(parent.pid, signal.SIGINT)
        _, errors = parent.communicate(timeout=60)
    assert errors.count("Traceback") == 1, errors
    assert parent.returncode == -signal.SIGINT
