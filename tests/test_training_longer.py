"""A run that is resumed with more epochs: what goes on exactly, what begins again, and what is refused."""

import pytest
from helpers import tiny
from helpers.cli import cnn

from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.errors import ConfigError, ExitCode, StoppedError
from cnn_cli.training.longer import with_settings
from cnn_cli.training.run import Run, RunResult
from cnn_cli.training.state import read_state

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = 5  # an epoch: 75 images in batches of 16

SCHEDULES = {
    "constant": {"schedule": "constant", "warmup": 0.0},
    "step": {"schedule": "step", "step_epochs": 1, "step_factor": 0.5, "warmup": 0.0},
    "cosine": {"schedule": "cosine"},
    "one_cycle": {"schedule": "one_cycle", "ema": 0.9},
}
LONGER = {"cosine": {"restarts": [2]}, "one_cycle": {"restarts": [2]}}
"""What an uninterrupted run of four epochs has besides, to equal one of two that goes on for four."""


def run(folder: RunFolder, stop=tiny.never, **train) -> RunResult:
    return tiny.run(folder, stop=stop, **train)


def go_on(folder: RunFolder, *settings: str, stop=tiny.never) -> RunResult:
    state = with_settings(read_state(folder), settings)
    return Run(state.config, tiny.source(), tiny.CPU, state).execute(folder, lambda record: None, stop)


def after(records: int):
    """Return a `stop` that stops the run after that many records."""
    left = [records]

    def stop() -> ExitCode | None:
        left[0] -= 1
        return None if left[0] else ExitCode.INTERRUPTED

    return stop


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "run")


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("stopped", [None, STEPS + 3], ids=["finished", "stopped"])
def test_a_longer_run_ends_with_the_bytes_of_an_uninterrupted_one(folder, tmp_path, schedule, stopped):
    """Whether it was finished or stopped before."""
    train = SCHEDULES[schedule]
    whole = run(RunFolder(tmp_path / "whole"), epochs=4, **train, **LONGER.get(schedule, {}))
    if stopped:
        with pytest.raises(StoppedError):
            run(folder, stop=after(stopped), epochs=2, **train)
    else:
        run(folder, epochs=2, **train)
    go_on(folder, "train.epochs=4")
    tiny.assert_same_result(folder, whole)


def test_an_added_cycle_leaves_the_steps_before_as_they_were(folder):
    short = [record.lr for record in run(folder, epochs=2).history]
    long = [record.lr for record in go_on(folder, "train.epochs=5").history]
    assert long[:2] == short
    assert long[-1] == pytest.approx(short[-1])  # each cycle ends with a learning rate of almost zero
    assert max(long[2:]) > 100 * short[-1]


def test_two_extensions_are_two_cycles(folder):
    run(folder, epochs=1)
    go_on(folder, "train.epochs=2")
    go_on(folder, "train.epochs=4")
    assert read_state(folder).config.train.restarts == (1, 2)


def test_the_warm_up_keeps_its_length(folder, tmp_path):
    """Half of two epochs are a quarter of four."""
    train = {"schedule": "constant"}
    whole = run(RunFolder(tmp_path / "whole"), epochs=4, warmup=0.25, **train)
    run(folder, epochs=2, warmup=0.5, **train)
    go_on(folder, "train.epochs=4")
    tiny.assert_same_result(folder, whole)


def test_while_it_goes_on_it_is_not_finished(folder, tmp_path):
    """So a plain resume completes it, with the settings that it went on with."""
    whole = run(RunFolder(tmp_path / "whole"), epochs=4, restarts=[2])
    run(folder, epochs=2)
    assert folder.finished
    with pytest.raises(StoppedError):
        go_on(folder, "train.epochs=4", stop=after(3))
    assert not folder.finished
    go_on(folder)
    tiny.assert_same_result(folder, whole)


def test_patience_that_ran_out_can_be_switched_off(folder):
    done = run(folder, epochs=9, patience=1, lr=1e-9)
    assert len(done.history) < 9
    with pytest.raises(ConfigError, match=r"stopped after 1 epochs without a better") as caught:
        go_on(folder, "train.epochs=12")
    assert caught.value.hint == "to go on: train.patience=0"
    assert len(go_on(folder, "train.patience=0").history) == 9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["train.lr=0.1"], "cannot change train.lr: a run may change only train.epochs, train.patience, "),
        (["seed=3", "train.epochs=9"], "cannot change seed"),
        (["data.augment.rotate=1", "train.ema=0.5"], "cannot change data.augment.rotate, train.ema"),
        (["train.restarts=[1]"], "cannot change train.restarts"),
        (["train.epochs=1"], "it can become longer, not shorter"),
        (["train.epochs=2"], "has trained its 2 epochs, and these settings add none"),
        (["train.threads=1"], "these settings add none"),
        (["train.epoch=9"], "did you mean 'epochs'"),
    ],
)
def test_what_is_refused(folder, settings, message):
    run(folder, epochs=2)
    with pytest.raises(ConfigError) as caught:
        go_on(folder, *settings)
    assert message in caught.value.message
    assert folder.finished


def test_the_command_extends_a_finished_run(workplace):
    assert cnn("train", "--config", "tiny.yaml", "--out", "run", "train.epochs=1").code == 0
    outcome = cnn("train", "--resume", "run", "train.epochs=3", "output.plot=false")
    assert outcome.code == 0, outcome.err
    assert [line.split()[1] for line in outcome.out.splitlines() if line.startswith("epoch")] == [
        "2/3",
        "3/3",
    ]
    assert RunFolder(workplace / "run").read_metrics()["epochs"] == 3
    assert cnn("train", "--resume", "run").err == "run is already finished: see run/metrics.json\n"
