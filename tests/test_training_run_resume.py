"""A run that is stopped or killed at any moment ends with the bytes of an uninterrupted run."""

import functools
import math
import signal
import sys

import numpy as np
import pytest
from helpers import tiny
from helpers.forks import Forked

from cnn_cli.checkpoint import tensorfile
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.errors import DataError, ExitCode, StoppedError
from cnn_cli.training import run, state
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.run import Run, RunResult
from cnn_cli.training.state import read_state

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = 5  # an epoch: 75 images in batches of 16


def after(steps: int, code: ExitCode = ExitCode.INTERRUPTED):
    """Return a `stop` that stops the run after that many records."""
    calls = []

    def stop() -> ExitCode | None:
        calls.append(1)
        return code if len(calls) == steps else None

    return stop


def resume(folder: RunFolder, listen=lambda record: None, stop=tiny.never) -> RunResult:
    saved = read_state(folder)
    return Run(saved.config, tiny.source(), tiny.CPU, saved).execute(folder, listen, stop)


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


@pytest.fixture(scope="module")
def finished(one_thread, tmp_path_factory) -> RunResult:
    """An uninterrupted run to compare with; tests must not change its files."""
    return tiny.run(RunFolder(tmp_path_factory.mktemp("uninterrupted") / "run"))


# --- stopped, killed, resumed -------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [1, STEPS - 1, STEPS, STEPS + 1, STEPS + 3, 3 * (STEPS + 1)])
def test_stopped_and_resumed_it_ends_with_the_same_bytes(finished, folder, records):
    with pytest.raises(StoppedError) as caught:
        tiny.run(folder, stop=after(records))
    assert not folder.finished
    assert caught.value.code == ExitCode.INTERRUPTED
    assert str(folder.path) in caught.value.message
    assert f"--resume {folder.path}" in caught.value.hint
    resume(folder)
    tiny.assert_same_result(folder, finished)


def test_the_exit_code_is_the_one_of_stop(folder):
    with pytest.raises(StoppedError, match="stopped after 0 epochs and 2 steps") as caught:
        tiny.run(folder, stop=after(2, ExitCode.TERMINATED))
    assert caught.value.code == ExitCode.TERMINATED


@pytest.mark.parametrize("epochs", [0, 3])
@pytest.mark.parametrize("calls", [1, 2])
def test_stopped_before_or_in_its_test_it_is_only_tested(tmp_path, monkeypatch, epochs, calls):
    """`stop` is asked once before the test and once for each of its batches."""
    whole = tiny.run(RunFolder(tmp_path / "whole"), epochs=epochs)
    folder = RunFolder(tmp_path / "stopped")
    records = epochs * (STEPS + 1)
    with pytest.raises(StoppedError, match="stopped before the end of the test; the training is complete"):
        tiny.run(folder, stop=after(records + calls), epochs=epochs)
    assert not folder.finished
    monkeypatch.setattr("cnn_cli.training.loop.TrainingLoop._take_step", None)  # no step is taken again
    resume(folder)
    tiny.assert_same_result(folder, whole)


def test_stopped_several_times(finished, folder):
    with pytest.raises(StoppedError):
        tiny.run(folder, stop=after(4))
    for _ in range(3):
        with pytest.raises(StoppedError):
            resume(folder, stop=after(3))
    resume(folder)
    tiny.assert_same_result(folder, finished)


class PowerFailureError(BaseException):
    """The end of the process, which nothing in the program catches."""


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_killed_after_an_epoch(finished, folder, epoch):
    def listen(record: StepRecord | EpochRecord) -> None:
        if isinstance(record, EpochRecord) and record.epoch == epoch:
            raise PowerFailureError

    with pytest.raises(PowerFailureError):
        tiny.run(folder, listen=listen)
    assert not folder.finished
    resume(folder)
    tiny.assert_same_result(folder, finished)


@pytest.mark.parametrize("writes", range(1, 8))
def test_killed_before_any_of_the_files_is_written(finished, folder, monkeypatch, writes):
    """Whichever file is the last on the disk, the run continues to the same end."""
    writes_left = [writes]

    def limited(write):
        def write_or_die(*arguments) -> None:
            writes_left[0] -= 1
            if writes_left[0] < 0:
                raise PowerFailureError
            write(*arguments)

        return write_or_die

    with monkeypatch.context() as patch:
        patch.setattr(tensorfile, "write", limited(tensorfile.write))  # states and checkpoints
        patch.setattr(run, "write_text", limited(run.write_text))  # config, history, metrics
        with pytest.raises(PowerFailureError):
            tiny.run(folder)
    if folder.state.exists():
        resume(folder)
    else:
        tiny.run(folder)
    tiny.assert_same_result(folder, finished)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_process_and_another_that_continues(finished, tmp_path):
    killed = Forked(tiny.train_until_killed, tmp_path / "run").outcome()
    assert killed.code == -signal.SIGKILL, killed.err
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
    tensors, header = tensorfile.read(folder.state, state.KIND, state.FORMAT)
    change(tensors, header)
    tensorfile.write(folder.state, tensors, header)


def error_of_resume(folder: RunFolder) -> str:
    with pytest.raises(DataError) as caught:
        resume(folder)
    assert caught.value.message.startswith(str(folder.path))
    assert "\n" not in caught.value.message
    return caught.value.message


def test_there_is_no_state(tmp_path, folder):
    assert "there is no such run" in error_of_resume(RunFolder(tmp_path / "absent"))
    assert "has no state.safetensors" in error_of_resume(folder)


def test_damaged_states(stopped):
    content = stopped.state.read_bytes()
    for length in (0, 4, 100, len(content) // 2, len(content) - 1):
        stopped.state.write_bytes(content[:length])
        error_of_resume(stopped)
    stopped.state.write_bytes(stopped.checkpoint.read_bytes())
    assert "is a checkpoint, not a training state" in error_of_resume(stopped)


PARENT = {"name": "mnist", "sha256": "0" * 64, "data": "mnist"}
NESTED = functools.reduce(lambda layer, _: {"residual": {"layers": [layer]}}, range(150), "relu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _, header: header.update(format=1), "has format 1"),
        (lambda _, header: header.pop("config"), "header cannot be used"),
        (lambda _, header: header.pop("data"), "header cannot be used"),
        (lambda _, header: header.update(loop=3), "header cannot be used"),
        (lambda _, header: header["config"].update(color="red"), "color"),
        (lambda _, header: header.update(parent=PARENT | {"accuracy": 10**400}), "64 bits"),
        (lambda _, header: header["config"]["train"].update(epochs=10**400), "64 bits"),
        (lambda _, header: header["config"]["model"]["layers"].insert(0, NESTED), "nested too deeply"),
        (lambda _, header: header["loop"].pop("step"), "does not fit its config"),
        (lambda _, header: header["loop"].update(step=-math.inf), "does not fit its config"),
        (lambda tensors, _: tensors.pop("network.conv1.weight"), "does not fit its config"),
        (lambda tensors, _: tensors.pop("best.conv1.weight"), "does not fit its config"),
        (
            lambda tensors, _: tensors.update({"network.conv1.bias": np.zeros(9)}),
            "does not fit its config",
        ),
        (lambda _, header: header.update(data="mnist"), "trained on mnist, but only tiny is available"),
        (
            lambda tensors, header: (header.update(data="mnist"), tensors.pop("best.conv1.weight")),
            "trained on mnist, but only tiny is available",
        ),
    ],
)
def test_states_whose_parts_do_not_fit(stopped, change, message):
    change_header(stopped, change)
    assert message in error_of_resume(stopped)


def test_other_arithmetic_is_a_warning(stopped, caplog):
    """Other threads or another version of torch may round differently: the run continues with a warning."""
    change_header(stopped, lambda _, header: header.update(arithmetic="cpu, float32, 64 threads, torch 9.9"))
    with caplog.at_level("WARNING", logger="cnn_cli"):
        resume(stopped)
    assert "was trained with cpu, float32, 64 threads, torch 9.9; it continues with cpu" in caplog.text


def test_the_same_arithmetic_is_no_warning(stopped, caplog):
    with caplog.at_level("WARNING", logger="cnn_cli"):
        resume(stopped)
    assert not caplog.text
