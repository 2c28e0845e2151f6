"""A run that is stopped or killed at any moment goes on to the bytes of a run without a stop."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import tiny

from cnn_cli.checkpoint import tensorfile
from cnn_cli.checkpoint.run_folder import RunFolder, create_run_folder
from cnn_cli.errors import DataError, ExitCode, StoppedError
from cnn_cli.training import run
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.run import Run, RunResult, read_state

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = 5  # an epoch: 75 images in batches of 16


def after(steps: int, code: ExitCode = ExitCode.INTERRUPTED):
    """Asked after every record: stop at the one of that number."""
    asked = []

    def stop() -> ExitCode | None:
        asked.append(1)
        return code if len(asked) == steps else None

    return stop


def resume(folder: RunFolder, listen=lambda record: None, stop=tiny.never) -> RunResult:
    state = read_state(folder)
    again = Run(state.config, tiny.source(), tiny.CPU)
    again.restore(state)
    return again.execute(folder, listen, stop)


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return create_run_folder(tmp_path / "run")


@pytest.fixture(scope="module")
def finished(one_thread, tmp_path_factory) -> RunResult:
    """An uninterrupted run, to compare with; its files must not be changed."""
    return tiny.run(create_run_folder(tmp_path_factory.mktemp("through") / "run"))


# --- stopped, killed, resumed -------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [1, STEPS - 1, STEPS, STEPS + 1, STEPS + 3, 3 * (STEPS + 1)])
def test_stopped_and_resumed_gives_the_bytes_of_a_run_without_a_stop(finished, folder, records):
    with pytest.raises(StoppedError) as caught:
        tiny.run(folder, stop=after(records))
    assert not folder.finished
    assert caught.value.code == ExitCode.INTERRUPTED
    assert str(folder.path) in caught.value.message
    assert f"--resume {folder.path}" in caught.value.hint
    resume(folder)
    tiny.assert_same_result(folder, finished)


def test_the_code_of_a_stop_is_the_one_that_was_asked_for(folder):
    with pytest.raises(StoppedError, match="stopped after 0 epochs and 2 steps") as caught:
        tiny.run(folder, stop=after(2, ExitCode.TERMINATED))
    assert caught.value.code == ExitCode.TERMINATED


def test_stopped_again_and_again(finished, folder):
    with pytest.raises(StoppedError):
        tiny.run(folder, stop=after(4))
    for _ in range(3):
        with pytest.raises(StoppedError):
            resume(folder, stop=after(3))
    resume(folder)
    tiny.assert_same_result(folder, finished)


class PowerFailureError(BaseException):
    """Nothing in the program catches it, as nothing catches the end of the process."""


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_dead_after_an_epoch(finished, folder, epoch):
    def listen(record: StepRecord | EpochRecord) -> None:
        if isinstance(record, EpochRecord) and record.epoch == epoch:
            raise PowerFailureError

    with pytest.raises(PowerFailureError):
        tiny.run(folder, listen=listen)
    assert not folder.finished
    resume(folder)
    tiny.assert_same_result(folder, finished)


@pytest.mark.parametrize("writes", range(1, 8))
def test_dead_before_any_of_the_files_is_written(finished, folder, monkeypatch, writes):
    """Whichever file is the last that came onto the disk: what is there goes on to the same end."""
    left = [writes]

    def or_die(write):
        def dying(*arguments) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise PowerFailureError
            write(*arguments)

        return dying

    with monkeypatch.context() as patch:
        patch.setattr(run.tensorfile, "write", or_die(tensorfile.write))  # states and checkpoints
        patch.setattr(run, "write_text", or_die(run.write_text))  # config, history, metrics
        with pytest.raises(PowerFailureError):
            tiny.run(folder)
    if folder.state.exists():
        resume(folder)
    else:
        tiny.run(folder)
    tiny.assert_same_result(folder, finished)


KILLED = """
import os, signal, sys
from pathlib import Path
from helpers import tiny, torch
from cnn_cli.checkpoint.run_folder import create_run_folder
from cnn_cli.training.records import EpochRecord
from cnn_cli.training.run import Run
torch.set_num_threads(1)
def listen(record):
    if isinstance(record, EpochRecord) and record.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
Run(tiny.config(), tiny.source(), tiny.CPU).execute(create_run_folder(Path(sys.argv[1])), listen, lambda: None)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_process_and_another_that_goes_on(finished, tmp_path):
    tests = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)])}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "run")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    folder = RunFolder(tmp_path / "run")
    assert len(tiny.history_of(folder)) == 2
    resume(folder)
    tiny.assert_same_result(folder, finished)


# --- states that cannot be used -----------------------------------------------------------------------------


@pytest.fixture
def stopped(folder) -> RunFolder:
    with pytest.raises(StoppedError):
        tiny.run(folder, stop=after(STEPS + 2))
    return folder


def change_header(folder: RunFolder, change) -> None:
    tensors, header = tensorfile.read(folder.state, run.KIND, run.FORMAT)
    change(tensors, header)
    tensorfile.write(folder.state, tensors, header)


def refused(folder: RunFolder) -> str:
    with pytest.raises(DataError) as caught:
        resume(folder)
    assert caught.value.message.startswith(str(folder.path))
    assert "\n" not in caught.value.message
    return caught.value.message


def test_there_is_nothing_to_go_on_from(tmp_path, folder):
    assert "there is no such run" in refused(RunFolder(tmp_path / "absent"))
    assert "has no state.safetensors" in refused(folder)


def test_damaged_states(stopped):
    content = stopped.state.read_bytes()
    for length in (0, 4, 100, len(content) // 2, len(content) - 1):
        stopped.state.write_bytes(content[:length])
        refused(stopped)
    stopped.state.write_bytes(stopped.checkpoint.read_bytes())
    assert "is a checkpoint, not a training state" in refused(stopped)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _, header: header.update(format=2), "has format 2"),
        (lambda _, header: header.pop("config"), "header cannot be used"),
        (lambda _, header: header.pop("data"), "header cannot be used"),
        (lambda _, header: header.update(loop=3), "header cannot be used"),
        (lambda _, header: header["config"].update(color="red"), "color"),
        (lambda _, header: header["loop"].pop("step"), "does not fit its config"),
        (lambda tensors, _: tensors.pop("network.conv1.weight"), "does not fit its config"),
        (lambda tensors, _: tensors.pop("best.conv1.weight"), "does not fit its config"),
        (
            lambda tensors, _: tensors.update({"network.conv1.bias": torch.zeros(9)}),
            "does not fit its config",
        ),
        (lambda _, header: header.update(data="mnist"), "trained on mnist, but only tiny is at hand"),
    ],
)
def test_states_whose_parts_do_not_fit(stopped, change, said):
    change_header(stopped, change)
    assert said in refused(stopped)


def test_other_arithmetic_is_said(stopped, caplog):
    """Another number of threads or version of torch may round differently: the run goes on, and says so."""
    change_header(stopped, lambda _, header: header.update(arithmetic="cpu, float32, 64 threads, torch 9.9"))
    with caplog.at_level("WARNING", logger="cnn_cli"):
        resume(stopped)
    assert "was trained with cpu, float32, 64 threads, torch 9.9; it goes on with cpu" in caplog.text


def test_the_same_arithmetic_is_not_mentioned(stopped, caplog):
    with caplog.at_level("WARNING", logger="cnn_cli"):
        resume(stopped)
    assert not caplog.text
