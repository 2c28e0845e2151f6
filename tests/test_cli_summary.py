"""`cnn summary` of a checkpoint: the layers as for its config, and how it came about."""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from helpers.cli import cnn

from cnn_cli.checkpoint import file
from cnn_cli.errors import ExitCode

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.mark.parametrize("form", ["folder", "file", "option"])
def test_a_checkpoint_shows_its_layers_and_its_origin(trained_run: Path, form: str) -> None:
    path = trained_run / "model.safetensors"
    words = {"folder": [trained_run], "file": [path], "option": ["-k", trained_run]}
    displayed = json.loads(cnn("summary", *words[form], "--json").out)
    config = json.loads(cnn("summary", "tiny.yaml", "--json").out)
    assert {key: displayed[key] for key in config} == config
    metrics = json.loads((trained_run / "metrics.json").read_text())
    assert displayed["metrics"]["test_accuracy"] == metrics["test"]["accuracy"]
    assert (displayed["data"], len(displayed["classes"])) == ("synthetic", 10)
    assert displayed["versions"] == metrics["versions"]
    written = datetime.fromisoformat(displayed["written"]).timestamp()
    assert written == pytest.approx(path.stat().st_mtime, abs=1)
    text = cnn("summary", *words[form]).out
    assert f"test accuracy        {metrics['test']['accuracy']:.2%}\n" in text
    assert "trained on           synthetic, 10 classes\n" in text


def test_a_network_that_ships_is_named_by_the_option(trained_run: Path) -> None:
    """The name alone is that of the config, which has no accuracy."""
    shipped = json.loads(cnn("summary", "-k", "lenet", "--json").out)
    config = json.loads(cnn("summary", "lenet", "--json").out)
    assert shipped["metrics"]["test_accuracy"] > 0.99
    assert "metrics" not in config
    assert shipped["layers"] == config["layers"]


def test_an_unfinished_run_has_no_test_accuracy(trained_run: Path, tmp_path: Path) -> None:
    checkpoint = file.read(trained_run / "model.safetensors")
    metrics = {"epoch": 1, "validation_accuracy": 0.5}
    file.write(tmp_path / "a.safetensors", replace(checkpoint, metrics=metrics))
    text = cnn("summary", "a.safetensors").out
    assert "none: its run has not finished" in text
    assert "validation accuracy  50.00%" in text


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], ExitCode.USAGE, "summary needs a config or a checkpoint"),
        (["lenet", "-k", "lenet"], ExitCode.USAGE, "a checkpoint is summarized alone"),
        (["x.safetensors", "seed=1"], ExitCode.USAGE, "a checkpoint is summarized alone"),
        (["x.safetensors"], ExitCode.DATA, "x.safetensors: no such file"),
        (["-k", "nothing"], ExitCode.DATA, "nothing: no such file"),
        (["data"], ExitCode.USAGE, "'data' is a folder, not a config"),
    ],
)
def test_wrong_use_is_an_error(words: list[str], code: ExitCode, message: str) -> None:
    Path("data").mkdir()
    outcome = cnn("summary", *words)
    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err
