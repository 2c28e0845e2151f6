"""Runs: their folders, repetition, stopping at any moment and continuing, `--min-accuracy`."""

import errno
import json
import os
import re
import shlex
import shutil
import signal
from pathlib import Path

import pytest
import yaml
from helpers.cli import SLOWER, TINY, Outcome, cnn, lines_of, wait_for
from helpers.forks import fork_cnn
from PIL import Image

from cnn_cli.checkpoint.run_writer import continued_run
from cnn_cli.errors import ExitCode, Interruption
from cnn_cli.files import write_text

TRAIN = ("train", "--config", "tiny.yaml")


def weights(run: str | Path) -> bytes:
    return (Path(run) / "model.safetensors").read_bytes()


# ---- where a run goes


def test_a_run_never_uses_the_folder_of_another(workplace: Path) -> None:
    assert cnn(*TRAIN).code == 0
    before = weights("checkpoints/tiny")
    second = cnn(*TRAIN, "seed=1")
    assert second.code == 0
    assert "checkpoints/tiny already holds a run: this one goes to checkpoints/tiny-2\n" in second.err
    assert "checkpoint     checkpoints/tiny-2/model.safetensors\n" in second.out
    assert weights("checkpoints/tiny") == before != weights("checkpoints/tiny-2")


def test_a_run_writes_all_its_files(workplace: Path) -> None:
    assert cnn(*TRAIN, "--out", "deep/run", "output.plot=true").code == 0
    names = {path.name for path in Path("deep/run").iterdir() if path.name != ".lock"}
    assert names == {
        "config.yaml",
        "history.jsonl",
        "learning_curve.png",
        "metrics.json",
        "model.safetensors",
        "state.safetensors",
    }
    Image.open("deep/run/learning_curve.png").verify()
    assert not Path("checkpoints").exists()


def test_overwrite_replaces_the_run_and_spares_other_files(workplace: Path) -> None:
    assert cnn(*TRAIN, "--out", "run").code == 0
    first = weights("run")
    Path("run/notes.txt").write_text("notes")
    assert cnn(*TRAIN, "--out", "run", "--overwrite", "seed=1").code == 0
    assert weights("run") != first
    assert not Path("run-2").exists()
    assert Path("run/notes.txt").read_text() == "notes"


def test_out_that_is_a_file_leaves_it_alone(workplace: Path) -> None:
    before = Path("one.png").read_bytes()
    cnn(*TRAIN, "--out", "one.png")
    cnn(*TRAIN, "--out", "one.png", "--overwrite")
    assert Path("one.png").read_bytes() == before


# ---- without validation


def test_without_validation_all_images_are_used_and_the_last_weights_are_kept(workplace: Path) -> None:
    """No epoch is called the best: without validation that would be chance."""
    outcome = cnn(
        *TRAIN, "data.validation=0", "train.epochs=3", "train.ema=0.9", "output.plot=true", "--json"
    )
    assert outcome.code == 0, outcome.err
    assert "300 images, none for validation: the last weights are kept;" in outcome.err
    *epochs, result = map(json.loads, outcome.out.splitlines())
    assert [epoch["validation_accuracy"] for epoch in epochs] == [None] * 3
    assert (result["epoch"], result["n"]) == (3, 100)
    tested = cnn("eval", "checkpoints/tiny", "--json")
    assert json.loads(tested.out)["accuracy"] == result["accuracy"]
    assert json.loads(cnn("eval", "checkpoints/tiny", "--split", "train", "--json").out)["n"] == 300
    lines = cnn(*TRAIN, "data.validation=0", "train.epochs=3").out.splitlines()[:3]
    assert not [line for line in lines if "best" in line]


def test_patience_needs_a_validation(workplace: Path) -> None:
    outcome = cnn(*TRAIN, "data.validation=0", "train.patience=2")
    assert outcome.code == ExitCode.USAGE
    assert "train.patience waits for a better validation, but data.validation is 0" in outcome.err


# ---- the same again


def test_the_same_command_gives_the_same_bytes_and_another_seed_others(workplace: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        assert cnn(*TRAIN, f"seed={seed}", "--out", name).code == 0
    assert weights("a") == weights("b") != weights("c")


def test_the_stored_config_repeats_the_run(workplace: Path) -> None:
    assert cnn(*TRAIN, "train.lr=0.02", "seed=3", "--out", "first").code == 0
    assert yaml.safe_load(Path("first/config.yaml").read_text())["train"]["lr"] == 0.02
    assert cnn("train", "--config", "first/config.yaml", "--out", "again").code == 0
    assert weights("first") == weights("again")


# ---- stopping and continuing


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a slower run that is not interrupted; its data is beside it."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    (folder / "tiny.yaml").write_text(TINY)
    outcome = cnn(*_slower(folder), "--out", folder / "run")
    assert outcome.code == 0, outcome.err
    return folder / "run"


def _slower(folder: Path) -> tuple[str, ...]:
    return ("train", "--config", str(folder / "tiny.yaml"), f"data.root={folder}", *SLOWER)


def _interrupted(uninterrupted: Path, number: signal.Signals) -> Outcome:
    """Start the same run in a new process and send the signal when an epoch is on the disk."""
    process = fork_cnn(*_slower(uninterrupted.parent), "--out", "run")
    wait_for(lambda: lines_of(Path("run/history.jsonl")) or not process.is_running())
    process.send(number)
    outcome = process.outcome()
    assert 1 <= lines_of(Path("run/history.jsonl")) < lines_of(uninterrupted / "history.jsonl")
    assert not Path("run/metrics.json").exists()
    return outcome


def _assert_continues_to_the_same_bytes(uninterrupted: Path) -> None:
    resumed = cnn("train", "--resume", "run")
    assert resumed.code == 0, resumed.err
    assert weights("run") == weights(uninterrupted)
    assert "test accuracy" in resumed.out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_everything_and_shows_the_command_that_continues(
    workplace: Path, uninterrupted: Path, number: signal.Signals, code: int
) -> None:
    outcome = _interrupted(uninterrupted, number)
    assert outcome.code == code
    stopping, error, hint = outcome.err.splitlines()[-3:]
    assert stopping == "stopping after this step; press Ctrl-C again to exit at once"
    assert error.startswith("error: stopped after ")
    assert error.endswith("everything is saved in run")
    assert hint == "hint: to continue: cnn train --resume run"
    _assert_continues_to_the_same_bytes(uninterrupted)


def test_a_kill_loses_no_bit(workplace: Path, uninterrupted: Path) -> None:
    outcome = _interrupted(uninterrupted, signal.SIGKILL)
    assert outcome.code == -signal.SIGKILL
    _assert_continues_to_the_same_bytes(uninterrupted)


def test_ctrl_c_before_the_training(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cnn_cli.training.start.open_source", interrupted)
    outcome = cnn(*TRAIN)
    assert outcome.code == ExitCode.INTERRUPTED
    assert outcome.err.strip() == "interrupted"
    assert not Path("checkpoints").exists()


def test_a_finished_run_is_not_run_again(workplace: Path, trained_run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained_run.iterdir()}
    outcome = cnn("train", "--resume", trained_run)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == f"{trained_run} is already finished: see {trained_run / 'metrics.json'}\n"
    assert {path: path.stat().st_mtime_ns for path in trained_run.iterdir()} == before


# ---- runs that fail


def test_a_loss_that_is_not_finite_stops_the_run(workplace: Path) -> None:
    outcome = cnn(*TRAIN, "train.optimizer=sgd", "train.lr=1e38", "train.schedule=constant", "train.warmup=0")
    assert outcome.code == ExitCode.FAILURE
    assert "error: the loss is no longer a finite number at step " in outcome.err
    assert "hint: the learning rate is probably too high" in outcome.err


def test_out_of_memory_names_the_setting_to_lower(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("cnn_cli.training.loop.TrainingLoop._take_step", no_memory)
    outcome = cnn(*TRAIN)
    assert outcome.code == ExitCode.FAILURE
    assert "error: out of memory" in outcome.err
    assert "train.batch_size" in outcome.err


def test_a_bug_of_the_program_is_called_one(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("cnn_cli.training.device.compute_for", broken)
    outcome = cnn(*TRAIN)
    assert outcome.code == ExitCode.FAILURE
    assert "error: KeyError: 'oops'" in outcome.err
    assert outcome.err.endswith("this command shows the traceback: cnn --debug train --config tiny.yaml\n")
    for arguments in (("--debug", *TRAIN), (*TRAIN, "--debug")):
        with pytest.raises(KeyError):
            cnn(*arguments)


def test_a_plot_that_fails_does_not_hide_the_result(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no font")

    monkeypatch.setattr("cnn_cli.report.plots.learning_curve", broken)
    outcome = cnn(*TRAIN, "output.plot=true", "--out", "run")
    assert outcome.code == 0
    assert "warning: the learning curve cannot be drawn: no font\n" in outcome.err
    assert "test accuracy" in outcome.out
    assert Path("run/metrics.json").is_file()


def test_a_signal_while_the_curve_is_drawn_does_not_hide_the_result(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise Interruption(ExitCode.TERMINATED)

    monkeypatch.setattr("cnn_cli.report.plots.learning_curve", interrupted)
    outcome = cnn(*TRAIN, "output.plot=true", "--out", "run")
    assert outcome.code == ExitCode.TERMINATED
    assert "test accuracy" in outcome.out
    assert Path("run/metrics.json").is_file()


def test_a_disk_that_is_full_at_the_end_does_not_hide_the_result(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        if path.name == "metrics.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write_text(path, text)

    with monkeypatch.context() as patch:
        patch.setattr("cnn_cli.training.run.write_text", full)
        outcome = cnn(*TRAIN, "--out", "run")
    assert outcome.code == 0
    assert "test accuracy" in outcome.out
    assert "warning: run/metrics.json: the figures of the test cannot be saved (No space left" in outcome.err
    again = cnn("train", "--resume", "run")
    assert "testing tiny on synthetic" in again.err
    assert "epoch" not in again.out
    assert Path("run/metrics.json").is_file()


def test_a_run_that_another_process_trains_is_left_alone(workplace: Path) -> None:
    assert cnn(*TRAIN, "--out", "run").code == 0
    before = weights("run")
    Path("run/metrics.json").unlink()
    with continued_run(Path("run")):
        for command in (("train", "--resume", "run"), (*TRAIN, "--out", "run", "--overwrite")):
            outcome = cnn(*command)
            assert outcome.code == ExitCode.USAGE
            assert f"run: another process trains this run (process {os.getpid()} on " in outcome.err
        assert cnn(*TRAIN, "--out", "run").code == 0  # a new one: run-2
    assert weights("run") == before


def test_overwrite_that_fails_keeps_the_run(workplace: Path) -> None:
    assert cnn(*TRAIN, "--out", "run").code == 0
    before = weights("run")
    failing = ("train.optimizer=sgd", "train.lr=1e38", "train.schedule=constant", "train.warmup=0")
    assert cnn(*TRAIN, "--out", "run", "--overwrite", *failing).code == ExitCode.FAILURE
    assert weights("run") == before
    assert cnn("eval", "run").code == 0
    assert "already finished" in cnn("train", "--resume", "run").err


def test_suggested_commands_quote_their_paths(workplace: Path) -> None:
    outcome = cnn(*TRAIN, "--out", "my runs/a")
    lines = outcome.err.partition("next: ")[2].splitlines()
    assert [shlex.split(line) for line in lines] == [
        ["cnn", "eval", "my runs/a"],
        ["cnn", "predict", "image.png", "--checkpoint", "my runs/a"],
    ]
    hint = cnn("bench", "--config", "tiny.yaml", "--out", "my results.txt").err.splitlines()[-1]
    assert shlex.split(hint) == ["hint:", "--out", "my results.json"]


# ---- --min-accuracy


def test_the_required_accuracy_decides_the_exit_code(trained_run: Path) -> None:
    accuracy = json.loads((trained_run / "metrics.json").read_text())["test"]["accuracy"]
    assert cnn("eval", trained_run, "--min-accuracy", accuracy).code == 0
    below = cnn("eval", trained_run, "--json", "--min-accuracy", accuracy + 0.005)
    assert below.code == ExitCode.BELOW_BAR
    assert json.loads(below.out)["accuracy"] == accuracy
    assert f"error: accuracy {accuracy:.2%} is below --min-accuracy {accuracy + 0.005}\n" in below.err


def test_fallback_data_meets_no_required_accuracy(workplace: Path) -> None:
    fallback = ("data.name=mnist", "data.download=false", "data.fallback=synthetic")
    trained = cnn(*TRAIN, *fallback, "--json", "--out", "run")
    assert trained.code == 0
    assert "warning: mnist is not available; using built-in synthetic digits instead" in trained.err
    result = json.loads(trained.out.splitlines()[-1])
    assert (result["data"], result["fallback"]) == ("synthetic", True)
    evaluated = cnn("eval", "run", "--json", "--min-accuracy", "0.01")
    assert evaluated.code == ExitCode.DATA
    assert json.loads(evaluated.out)["fallback"] is True
    message = "--min-accuracy 0.01 applies to the requested data, but synthetic digits were used"
    assert message in evaluated.err
    assert cnn("eval", "run", "data.name=synthetic", "--min-accuracy", "0.01").code == 0


def test_a_plot_is_written_to_the_named_file(workplace: Path, trained_run: Path) -> None:
    outcome = cnn("eval", trained_run, "--plot", "new/plot.png")
    assert outcome.code == 0
    assert "plot: new/plot.png\n" in outcome.err
    Image.open("new/plot.png").verify()


def test_a_plot_that_cannot_be_written_does_not_hide_the_figures(workplace: Path, trained_run: Path) -> None:
    Path("file").touch()
    outcome = cnn("eval", trained_run, "--plot", "file/plot.png", "--min-accuracy", "1")
    assert "accuracy" in outcome.out
    assert outcome.code == ExitCode.BELOW_BAR  # what a script asked for has priority


# ---- which checkpoint


def test_the_checkpoint_is_the_named_the_environments_or_the_newest(
    workplace: Path, trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def used(*arguments: object) -> str:
        outcome = cnn("predict", "--json", "one.png", *arguments)
        assert outcome.code == 0, outcome.err
        checkpoint = json.loads(outcome.out)["checkpoint"]
        assert f"using {checkpoint} (tiny, trained on synthetic)\n" in outcome.err
        return checkpoint

    for name, seconds in (("old", 1000), ("new", 2000), ("older", 500)):
        shutil.copytree(trained_run, f"checkpoints/{name}")
        os.utime(f"checkpoints/{name}/metrics.json", (seconds, seconds))
    shutil.copytree(trained_run, "checkpoints/unfinished", ignore=shutil.ignore_patterns("metrics.json"))
    assert used() == "checkpoints/new/model.safetensors"
    monkeypatch.setenv("CNN_CHECKPOINT", "checkpoints/old")
    assert used() == "checkpoints/old/model.safetensors"
    assert used("-k", "checkpoints/unfinished") == "checkpoints/unfinished/model.safetensors"


def test_eval_takes_checkpoints_as_arguments_and_as_options(workplace: Path, trained_run: Path) -> None:
    shutil.copytree(trained_run, "other")
    one = cnn("eval", trained_run, "--json").out
    assert cnn("eval", "-k", trained_run, "--json").out == one
    assert cnn("eval", "--checkpoint", trained_run, "--json").out == one
    both = json.loads(cnn("eval", "-k", trained_run, "other", "--json").out)
    names = [f"{folder}/model.safetensors" for folder in (trained_run, "other")]
    assert both["checkpoint"] == " + ".join(names)
    assert both["accuracy"] == json.loads(one)["accuracy"]  # of two equal networks


def test_evaluation_needs_no_run_folder(workplace: Path, trained_run: Path) -> None:
    shutil.copy(trained_run / "model.safetensors", "moved.safetensors")
    outcome = cnn("eval", "moved.safetensors", "--json")
    assert outcome.code == 0, outcome.err
    test = json.loads((trained_run / "metrics.json").read_text())["test"]
    assert json.loads(outcome.out)["confusion_matrix"] == test["confusion_matrix"]


# ---- confidence


def test_an_answer_below_the_required_confidence_is_unsure(workplace: Path, trained_run: Path) -> None:
    plain = ("predict", "one.png", "--checkpoint", trained_run)
    confident = cnn(*plain, "--min-confidence", "0")
    assert re.fullmatch(r"one\.png: \d \(\d+\.\d%\)\n", confident.out)
    unsure = cnn(*plain, "--min-confidence", "1")
    assert (confident.code, unsure.code) == (0, 0)
    label, share = re.findall(r"(\d) \((.*)\)", confident.out)[0]
    assert unsure.out == f"one.png: unsure ({label} at {share})\n"
    answers = [json.loads(cnn(*plain, "--json", "--min-confidence", bar).out) for bar in ("0", "1")]
    assert [answer.pop("confident") for answer in answers] == [True, False]
    assert answers[0] == answers[1]


def test_strict_exits_with_5_when_an_answer_is_unsure(workplace: Path, trained_run: Path) -> None:
    plain = ("predict", "--checkpoint", trained_run, "--strict", "one.png")
    assert cnn(*plain, "--min-confidence", "0").code == ExitCode.OK
    assert cnn(*plain, "--min-confidence", "1").code == ExitCode.UNSURE == 5
    both = cnn(*plain, "absent.png", "--min-confidence", "1")
    assert (both.code, both.out.count("unsure")) == (ExitCode.DATA, 1)  # an unreadable image has priority


def test_eval_says_what_calibration_changed(workplace: Path, trained_run: Path) -> None:
    figures = json.loads(cnn("eval", trained_run, "--json").out)
    output = cnn("eval", trained_run).out
    assert f"{figures['calibration_error']:.4f} ({figures['uncalibrated_error']:.4f} without" in output
    assert f"temperature {figures['temperature']:.2f})" in output


def test_training_with_outliers_is_repeatable(workplace: Path) -> None:
    assert cnn(*TRAIN, "--out", "plain").code == 0
    for folder in ("one", "two"):
        assert cnn(*TRAIN, "data.outliers=0.5", "--out", folder).code == 0
    assert weights("one") == weights("two")
    losses = [
        json.loads(Path(run, "history.jsonl").read_text().splitlines()[0])["train_loss"]
        for run in ("plain", "one")
    ]
    assert losses[0] < losses[1]  # the loss includes the outliers


def test_training_with_proposed_digits_is_repeatable(workplace: Path) -> None:
    plain = cnn(*TRAIN, "--out", "plain")
    runs = [cnn(*TRAIN, "data.proposed=0.1", "--out", folder) for folder in ("one", "two")]
    assert [run.code for run in runs] == [0, 0]
    assert weights("one") == weights("two") != weights("plain")
    assert "making more training images" in runs[0].err  # it takes a while
    assert "making more training images" not in plain.err
