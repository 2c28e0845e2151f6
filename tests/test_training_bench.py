"""A benchmark over seeds: its results are those of its runs, also after a stop at any place."""

import json
import os
import signal
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import tiny
from helpers.cli import SLOWER, cnn, lines_of, wait_for
from helpers.forks import fork_cnn

from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.errors import ConfigError, DataError, ExitCode, StoppedError
from cnn_cli.training import machine, results
from cnn_cli.training.bench import Bench
from cnn_cli.training.run import Run

pytestmark = pytest.mark.usefixtures("one_thread")

RECORDS = 2 * 6  # of a run: 2 epochs, each with 5 steps and the record of the epoch
COMMAND = "cnn bench --config tiny.yaml --seeds 2"


def bench(path: Path, *, data=None, compute=tiny.CPU, **train) -> Bench:
    return Bench(tiny.config(**{"epochs": 2} | train), data or tiny.source(), compute, path, COMMAND)


def finish(benchmark: Bench, seeds: int = 2, listen=lambda seed, record: None, stop=tiny.never) -> None:
    list(benchmark.run(seeds, listen, stop))


def untimed(path: Path) -> dict:
    """The content of the file without the measured times."""

    def without(value):
        if isinstance(value, dict):
            return {key: without(inner) for key, inner in value.items() if key not in results.TIMES}
        return [without(inner) for inner in value] if isinstance(value, list) else value

    return without(json.loads(path.read_text()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tiny.json"


@pytest.fixture(scope="module")
def uninterrupted(one_thread, tmp_path_factory) -> Path:
    """The file of a benchmark that was never stopped."""
    path = tmp_path_factory.mktemp("bench") / "tiny.json"
    finish(bench(path))
    return path


# --- results -----------------------------------------------------------------------------------------------


def test_each_seed_gives_the_run_of_train(uninterrupted, tmp_path):
    for seed, result in zip((1, 2), results.read(uninterrupted).runs, strict=True):
        config = tiny.config(epochs=2).model_copy(update={"seed": seed})
        alone = Run(config, tiny.source(), tiny.CPU).execute(
            RunFolder(tmp_path / "run"), lambda record: None, tiny.never
        )
        assert (result.seed, result.accuracy, result.loss, result.n) == (
            seed,
            alone.test.accuracy,
            alone.test.loss,
            alone.test.n,
        )
        assert (result.epoch, result.epochs) == (alone.best.epoch, 2)
        assert result.validation_accuracy == alone.best.validation_accuracy
        folder = RunFolder(uninterrupted.with_suffix("") / f"seed-{seed}")
        assert folder.checkpoint.read_bytes() == alone.folder.checkpoint.read_bytes()


def test_the_summary_has_mean_and_sample_deviation(uninterrupted):
    content = json.loads(uninterrupted.read_text())
    for name in ("accuracy", "loss"):
        values = [run[name] for run in content["runs"]]
        assert content["summary"][name] == {
            "mean": statistics.mean(values),
            "deviation": statistics.stdev(values),
        }
    for name in results.TIMES:
        assert content["summary"][name] == sum(run[name] for run in content["runs"])
        assert all(run[name] > 0 for run in content["runs"])
    assert content["command"] == COMMAND
    assert "unfinished" not in content
    assert content["setting"]["machine"] == machine.describe(tiny.CPU)
    assert content["setting"]["parameters"] == 4 * 9 + 4 + 8 + 4 * 25 * 3 + 3
    assert "seed" not in content["setting"]["config"]


def test_one_seed_has_no_deviation(path):
    finish(bench(path), seeds=1)
    assert json.loads(path.read_text())["summary"]["accuracy"]["deviation"] is None


# --- stops --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("records", [1, 5, 6, RECORDS - 1, RECORDS, RECORDS + 3, 2 * RECORDS])
def test_a_stopped_benchmark_ends_with_the_same_file(uninterrupted, path, records):
    before = []

    def stop() -> ExitCode | None:
        return ExitCode.TERMINATED if len(before) == records else None

    with pytest.raises(StoppedError) as caught:
        finish(bench(path), listen=lambda seed, record: before.append(record), stop=stop)
    assert caught.value.code == ExitCode.TERMINATED
    assert "the same command" in caught.value.hint
    unfinished = results.read(path).unfinished
    assert unfinished.seconds > 0
    later = []
    finish(bench(path), listen=lambda seed, record: later.append(record))
    assert len(before) + len(later) == 2 * RECORDS  # nothing is done twice
    assert untimed(path) == untimed(uninterrupted)
    run = next(run for run in results.read(path).runs if run.seed == unfinished.seed)
    assert run.seconds > unfinished.seconds
    assert run.cpu_seconds > unfinished.cpu_seconds


def test_two_processes_do_not_write_one_file(uninterrupted, path):
    errors = []

    def listen(seed, record):
        with pytest.raises(ConfigError, match=r"tiny\.json: another cnn bench is writing it") as caught:
            finish(bench(path))
        errors.append(caught.value)

    early = bench(path)
    finish(bench(path), listen=listen)
    assert len(errors) == 2 * RECORDS
    assert untimed(path) == untimed(uninterrupted)
    finish(early, listen=lambda seed, record: pytest.fail("a finished seed is trained again"))
    assert untimed(path) == untimed(uninterrupted)


def test_a_folder_that_cannot_be_created(path):
    path.with_suffix("").touch()
    with pytest.raises(ConfigError, match="tiny: cannot create the folder of the runs"):
        finish(bench(path))


class Killed(BaseException):
    """An exception that nothing catches."""


def test_killed_at_any_write_it_ends_with_the_same_file(uninterrupted, tmp_path, monkeypatch):
    """The process dies between two writes: once after each of them."""
    write = results.write
    for survived in range(100):
        path, written = tmp_path / str(survived) / "tiny.json", []

        def die(path, content, survived=survived, written=written):
            if len(written) == survived:  # a dead process does not write again
                raise Killed
            written.append(1)
            write(path, content)

        monkeypatch.setattr(results, "write", die)
        try:
            finish(bench(path))
        except Killed:
            monkeypatch.setattr(results, "write", write)
            finish(bench(path))
            assert untimed(path) == untimed(uninterrupted)
        else:
            break
    assert survived == 2 * (1 + 2 + 1 + 1)  # the start, two epochs, the time at the end, the result


def test_a_finished_run_is_not_repeated(uninterrupted, path, monkeypatch):
    """Killed after the last file of the run, before the file of the benchmark: the test is not repeated."""
    with_run = results.Results.with_run

    def die(self, run):
        raise Killed

    monkeypatch.setattr(results.Results, "with_run", die)
    with pytest.raises(Killed):
        finish(bench(path))
    monkeypatch.setattr(results.Results, "with_run", with_run)
    closed = replace(tiny.source(), test=lambda: pytest.fail("the test set is opened again"))
    finish(bench(path, data=closed), seeds=1)
    finish(bench(path))
    assert untimed(path) == untimed(uninterrupted)


def test_killed_between_two_steps_it_ends_with_the_same_file(uninterrupted, path):
    def listen(seed, record):
        if seed == 2 and getattr(record, "step", 0) == 3 and record.epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        finish(bench(path), listen=listen)
    assert [run.seed for run in results.read(path).runs] == [1]
    finish(bench(path))
    assert untimed(path) == untimed(uninterrupted)


def test_more_seeds_are_added_and_fewer_remove_none(uninterrupted, path):
    finish(bench(path), seeds=1)
    trained = []
    finish(bench(path), listen=lambda seed, record: trained.append(seed))
    assert set(trained) == {2}
    assert untimed(path) == untimed(uninterrupted)
    before = path.read_bytes()
    finish(bench(path), seeds=1)
    assert path.read_bytes() == before


# --- settings and files that do not fit ---------------------------------------------------------------------


def test_another_setting_is_an_error(path, monkeypatch):
    finish(bench(path), seeds=1)
    before = path.read_bytes()
    others = {
        "config.train.lr is 0.01 there and 0.02 here": {"lr": 0.02},
        'data is "tiny" there and "synthetic" here': {"data": replace(tiny.source(), name="synthetic")},
        "fallback is false there and true here": {"data": replace(tiny.source(), requested="mnist")},
        "machine.device is": {"compute": replace(tiny.CPU, threads=2)},
    }
    for difference, options in others.items():
        with pytest.raises(ConfigError) as caught:
            bench(path, **options)
        assert f"{path}: holds results of another setting: {difference}" in str(caught.value)
    monkeypatch.setattr(machine, "versions", lambda: {"cnn": "9.9"})
    with pytest.raises(ConfigError, match=r'machine.versions.cnn is "0.1.0" there and "9.9" here'):
        bench(path)
    assert path.read_bytes() == before


def test_a_setting_that_is_missing_in_the_file_is_an_error(path):
    finish(bench(path), seeds=1)
    content = json.loads(path.read_text())
    del content["setting"]["config"]["train"]["ema"]
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"config.train.ema is null there and 0.0 here"):
        bench(path)


def test_the_output_section_is_no_setting(path):
    finish(bench(path), seeds=1)
    config = tiny.config(epochs=2)
    moved = config.model_copy(update={"output": config.output.model_copy(update={"plot": False}), "seed": 8})
    assert len(Bench(moved, tiny.source(), tiny.CPU, path, COMMAND).results.runs) == 1


def test_a_run_that_is_not_in_the_file_is_left_alone(path):
    other = tiny.run(RunFolder(path.with_suffix("") / "seed-1"))
    before = other.folder.checkpoint.read_bytes()
    with pytest.raises(ConfigError, match=r"contains a run that is not in .*tiny\.json"):
        finish(bench(path))
    assert other.folder.checkpoint.read_bytes() == before


def test_a_run_of_another_config_in_the_folder_is_an_error(path):
    with pytest.raises(StoppedError):
        finish(bench(path), stop=lambda: ExitCode.INTERRUPTED)
    folder = RunFolder(path.with_suffix("") / "seed-1")
    folder.clear()
    with pytest.raises(StoppedError):
        tiny.run(folder, stop=lambda: ExitCode.INTERRUPTED, lr=0.5)
    with pytest.raises(DataError, match="is from another config"):
        finish(bench(path))


@pytest.mark.parametrize("text", ["{}", '{"test": 1, "best": 2}'])
def test_damaged_figures_of_a_seed_are_an_error(path, text):
    finish(bench(path), seeds=1)
    content = json.loads(path.read_text()) | {"runs": [], "unfinished": vars(results.Unfinished(1))}
    path.write_text(json.dumps(content))
    folder = RunFolder(path.with_suffix("") / "seed-1")
    folder.metrics.write_text(text)
    with pytest.raises(DataError, match=r"metrics\.json: holds no figures of a run"):
        finish(bench(path), seeds=1)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"kind": "benchmark", "format": 99}', '{"kind": "else"}', "[" * 100_000],
    ids=len,
)
def test_another_file_is_an_error_and_left_alone(path, text):
    path.write_text(text)
    with pytest.raises(DataError, match="is not a results file"):
        bench(path)
    assert path.read_text() == text


def test_the_file_must_be_json(tmp_path):
    with pytest.raises(ConfigError, match="written as JSON"):
        bench(tmp_path / "results")


# --- the command --------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_signal_stops_it_and_the_same_command_continues(workplace):
    command = ("bench", "--config", "tiny.yaml", "--seeds", "1", *SLOWER)
    assert cnn(*command, "--out", "uninterrupted.json").code == 0
    process = fork_cnn(*command, "--out", "stopped.json")
    wait_for(lambda: lines_of(Path("stopped/seed-1/history.jsonl")) or not process.is_running())
    process.send(signal.SIGTERM)
    stopped = process.outcome()
    assert stopped.code == ExitCode.TERMINATED
    assert "hint: go on with the same command" in stopped.err
    assert json.loads(Path("stopped.json").read_text())["runs"] == []
    again = cnn(*command, "--out", "stopped.json", "--json")
    assert again.code == 0, again.err
    assert untimed(Path("stopped.json")) == untimed(Path("uninterrupted.json"))
    events = [json.loads(line) for line in again.out.splitlines()]
    assert [event["event"] for event in events] == ["seed", "result"]
    assert events[-1]["accuracy"] == json.loads(Path("uninterrupted.json").read_text())["summary"]["accuracy"]


def test_the_output(workplace):
    outcome = cnn("bench", "--config", "tiny.yaml", "--seeds", "2")
    assert outcome.code == 0, outcome.err
    content = json.loads(Path("bench/tiny.json").read_text())
    first, second, mean, parameters, data, file = outcome.out.splitlines()
    assert first.startswith(f"seed 1  test accuracy {content['runs'][0]['accuracy']:.2%}  loss ")
    assert second.startswith("seed 2  ")
    figures = content["summary"]["accuracy"]
    spread = (
        f"{100 * figures['mean']:.2f} % ± {100 * figures['deviation']:.2f} (mean and deviation of 2 seeds)"
    )
    assert mean == f"test accuracy  {spread}"
    assert [parameters.split(), data.split(), file.split()] == [
        ["parameters", "500"],
        ["data", "synthetic"],
        ["results", "bench/tiny.json"],
    ]
    assert "seed 2  epoch 2/2  train loss" in outcome.err
    assert content["command"] == "cnn bench --config tiny.yaml --seeds 2"
    again = cnn("bench", "--config", "tiny.yaml", "--seeds", "2")
    assert again.out == outcome.out
    assert "already has 2 of its seeds" in again.err


def test_a_seed_is_an_error(workplace):
    outcome = cnn("bench", "--config", "tiny.yaml", "seed=3")
    assert outcome.code == ExitCode.USAGE
    assert "bench sets the seed itself" in outcome.err
    assert not Path("bench").exists()


def test_several_processes_are_an_error(workplace, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    outcome = cnn("bench", "--config", "tiny.yaml")
    assert outcome.code == ExitCode.USAGE
    assert "bench runs in one process" in outcome.err
