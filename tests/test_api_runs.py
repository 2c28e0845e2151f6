"""`cnn.train` and `cnn.evaluate` do what the commands do, give results as objects, and print nothing."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.cli import TINY, environment
from helpers.cli import cnn as run_cnn

import cnn_cli as cnn
from cnn_cli.config.keywords import arguments_of, load
from cnn_cli.config.load import load_config

pytestmark = pytest.mark.usefixtures("workplace", "one_thread")

MAPPING = yaml.safe_load(TINY)


def test_a_training_gives_what_the_command_gives() -> None:
    """Bit for bit: the checkpoint of the one is the checkpoint of the other."""
    result = cnn.train("tiny.yaml", epochs=3, seed=7, out="mine")
    assert run_cnn("train", "--config", "tiny.yaml", "train.epochs=3", "seed=7", "--out", "theirs").code == 0
    assert result.checkpoint == Path("mine/model.safetensors")
    assert result.checkpoint.read_bytes() == Path("theirs/model.safetensors").read_bytes()
    metrics = json.loads(Path("theirs/metrics.json").read_text())
    assert result.accuracy == metrics["test"]["accuracy"]
    assert [record.epoch for record in result.history] == [1, 2, 3]
    assert (result.data, result.is_fallback) == ("synthetic", False)


def test_progress_gets_every_epoch_and_prints_the_line_of_the_command(capfd: pytest.CaptureFixture) -> None:
    records: list[cnn.EpochRecord] = []
    result = cnn.train("tiny.yaml", progress=records.append)
    assert tuple(records) == result.history
    assert capfd.readouterr() == ("", "")
    cnn.train("tiny.yaml", progress=print)
    lines = capfd.readouterr().out.splitlines()
    displayed = run_cnn("train", "--config", "tiny.yaml").out.splitlines()
    assert [line.split("  lr")[0] for line in lines] == [line.split("  lr")[0] for line in displayed[:2]]


def test_an_evaluation_is_that_of_the_command(trained_run: Path) -> None:
    expected = json.loads(run_cnn("eval", trained_run, "--json").out)
    result = cnn.evaluate(trained_run)
    assert (result.accuracy, result.metrics.loss) == (expected["accuracy"], expected["loss"])
    assert (result.data, result.split) == (expected["data"], "test")
    fewer = cnn.evaluate(trained_run, {"synthetic": {"test": 20}}, device="cpu", threads=1)
    assert fewer.metrics.n == 20
    assert cnn.evaluate(trained_run, "synthetic").accuracy == result.accuracy
    assert cnn.evaluate(trained_run, split="validation").metrics.n == 50
    assert cnn.evaluate([trained_run, trained_run]).accuracy == result.accuracy
    assert cnn.evaluate(trained_run, copies=3).metrics.n == 100


def test_a_run_goes_where_it_is_told_and_replaces_none() -> None:
    first, second = (cnn.train("tiny.yaml", epochs=0, out="run") for _ in range(2))
    assert (first.folder.path, second.folder.path) == (Path("run"), Path("run-2"))
    assert cnn.train("tiny.yaml", epochs=0, out="run", overwrite=True).folder.path == Path("run")
    default = cnn.train("tiny.yaml", epochs=0, output={"folder": "here"}, name="mine")
    assert default.folder.path == Path("here/mine")


def test_the_learning_curve_is_drawn_if_the_config_asks_for_it() -> None:
    assert not cnn.train("tiny.yaml", out="a").folder.curve.exists()
    assert cnn.train("tiny.yaml", out="b", output={"plot": True}).folder.curve.is_file()


# ---- settings


def test_keywords_are_settings_of_train_or_of_the_top() -> None:
    settings = {"epochs": 3, "lr": 0.01, "seed": 7, "data": {"root": Path("x"), "augment": {"rotate": 5}}}
    assert arguments_of(settings) == [
        *("train.epochs=3", "train.lr=0.01", "seed=7", 'data.root="x"', "data.augment.rotate=5"),
    ]
    assert arguments_of({"data": "kmnist"}) == ['data.name="kmnist"']
    assert arguments_of({"train.lr": np.float64(0.5), "train": {"betas": (0.8, 0.9)}}) == [
        *("train.lr=0.5", "train.betas=[0.8, 0.9]"),
    ]


def test_a_keyword_means_what_the_argument_means() -> None:
    by_keyword = load(
        "lenet", {"lr": 1e-5, "data": {"root": 'a: "b" é\n', "mean": None}, "deterministic": True}
    )
    arguments = ["train.lr=1e-5", r'data.root="a: \"b\" é\n"', "data.mean=null", "train.deterministic=true"]
    assert by_keyword.config == load_config("lenet", arguments).config
    assert by_keyword.config.train.lr == 1e-5


def test_a_mapping_means_what_the_file_means() -> None:
    from_file = load_config("tiny.yaml").config
    assert load(MAPPING, {"name": "tiny"}).config == from_file
    blocks = {
        "model": {
            "blocks": {
                "unit": {"parameters": ["out"], "layers": [{"conv": {"out": "$out", "kernel": 3}}, "relu"]}
            },
            "layers": [{"unit": 4}, "flatten", {"linear": 10}],
        }
    }
    Path("blocks.yaml").write_text(yaml.safe_dump(blocks))
    assert load(blocks, {"name": "blocks"}).config == load_config("blocks.yaml").config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, r"unknown key 'epoch' \(did you mean 'epochs'\?\)"),
        ({"epochs": "three"}, "train.epochs=\"three\"': must be a whole number, not 'three'"),
        ({"epochs": True}, "train.epochs=true': must be a whole number"),
        ({"lr": float("nan")}, "train.lr"),
        ({"lr": {1, 2}}, "train.lr: set is not a value of a config"),
        ({"data": {"nam": "mnist"}}, r"unknown key 'nam' \(did you mean 'name'\?\)"),
        ({"data": "mnits"}, "data.name"),
        (
            {"model": {"layers": ["flatten", {"linear": 10}, {"conv": {"out": 3, "kernel": 3}}]}},
            "needs an image",
        ),
        ({"device": "cuda:99"}, "train.device"),
    ],
)
def test_a_wrong_setting_raises_and_says_which(settings: dict, message: str) -> None:
    with pytest.raises(cnn.ConfigError, match=message):
        cnn.train("tiny.yaml", **settings)
    assert not Path("checkpoints").exists()


def test_other_bad_input_raises(trained_run: Path) -> None:
    with pytest.raises(cnn.ConfigError, match="there is no config 'lenett'"):
        cnn.train("lenett")
    with pytest.raises(cnn.ConfigError, match="unknown key 'epochs'"):
        cnn.train({**MAPPING, "epochs": 3})
    with pytest.raises(cnn.DataError, match="MNIST is not in"):
        cnn.train("tiny.yaml", data={"name": "mnist", "root": "nowhere", "download": False})
    with pytest.raises(cnn.ConfigError, match=r"train.lr=3': an evaluation accepts only"):
        cnn.evaluate(trained_run, lr=3)
    with pytest.raises(cnn.DataError, match="nowhere: no such file or folder"):
        cnn.evaluate(trained_run, {"name": "own", "root": "nowhere"})
    other = cnn.train("tiny.yaml", seed=3, epochs=0, out="other")
    with pytest.raises(cnn.DataError, match="share no validation split"):
        cnn.evaluate([trained_run, other.checkpoint], split="validation")


def test_nothing_is_printed_even_where_the_command_warns(tmp_path: Path) -> None:
    """A fallback of the data, an even kernel with padding, a curve that cannot be drawn: in a new process."""
    code = """
import cnn_cli as cnn
layers = [{"conv": {"out": 2, "kernel": 4, "padding": "same"}}, "flatten", {"linear": 10}]
data = {"root": "nowhere", "download": False, "fallback": "synthetic"}
data["synthetic"] = {"train": 100, "test": 20}
result = cnn.train({"model": {"layers": layers}}, data=data, epochs=1, batch_size=50, threads=1, out="run")
assert result.is_fallback
assert cnn.evaluate(result.checkpoint).is_fallback
cnn.load(result.checkpoint).network()
try:
    cnn.train("lenet", epoch=1)
except cnn.CnnError:
    pass
import logging
assert not logging.getLogger().handlers
"""
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


def test_warnings_reach_a_log_that_the_program_sets_up(caplog: pytest.LogCaptureFixture) -> None:
    data = {"name": "mnist", "root": "nowhere", "download": False, "fallback": "synthetic"}
    with caplog.at_level(logging.WARNING):
        cnn.train("tiny.yaml", data=data, epochs=0)
    assert "mnist is not available" in caplog.text
