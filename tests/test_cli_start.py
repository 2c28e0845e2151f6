"""`cnn train --start`: the config that it uses, what it tells, and what other commands show afterwards."""

import hashlib
import json
from pathlib import Path

import pytest
from helpers.cli import cnn

from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.errors import ExitCode

FEW = ("data.name=synthetic", "data.synthetic={train: 100, test: 50}", "train.threads=1", "output.plot=false")


@pytest.fixture
def start(workplace: Path, trained_run: Path) -> Path:
    """The checkpoint of a finished run, a copy in the working folder."""
    copy = workplace / "parent.safetensors"
    copy.write_bytes(RunFolder(trained_run).checkpoint.read_bytes())
    return copy


def test_without_a_config_it_is_finetune(start: Path, workplace: Path) -> None:
    outcome = cnn("train", "--start", "parent.safetensors", *FEW, "train.epochs=1")
    assert outcome.code == 0, outcome.err
    accuracy = json.loads(cnn("summary", "parent.safetensors", "--json").out)["metrics"]["test_accuracy"]
    digest = hashlib.sha256(start.read_bytes()).hexdigest()
    origin = f"parent.safetensors (synthetic, test accuracy {accuracy:.2%}, SHA-256 {digest[:12]}…)"
    assert f"starting from {origin}\n" in outcome.err
    assert "anew" not in outcome.err
    run = workplace / "checkpoints" / "finetune"
    summary = cnn("summary", run).out
    assert f"started from         {origin}" in summary
    recorded = json.loads(cnn("summary", run, "--json").out)["parent"]
    assert recorded == {
        "name": "parent.safetensors",
        "sha256": digest,
        "data": "synthetic",
        "accuracy": accuracy,
    }
    assert cnn("report", run, "--out", "report.html", *FEW[:3]).code == 0
    assert digest in Path("report.html").read_text()


def test_other_classes_are_told(start: Path, workplace: Path) -> None:
    from PIL import Image

    for name, color in (("7", 255), ("sky", 0)):
        for number in range(4):
            (workplace / "images" / name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (28, 28), abs(color - number)).save(workplace / "images" / name / f"{number}.png")
    settings = ("data.name=own", "data.root=images", "data.preprocessing=photo", "train.epochs=1")
    outcome = cnn("train", "--start", start, *settings, "output.plot=false", "--out", "run")
    assert outcome.code == 0, outcome.err
    assert (
        "\nother classes: linear1 is made anew for sky\nthe outputs for 7 keep their weights\n" in outcome.err
    )
    network = json.loads(cnn("summary", "run", "--json").out)
    assert network["classes"] == ["7", "sky"]
    assert network["layers"][-1]["output_shape"] == [2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--start", "nowhere"], "argument 'train.start=\"nowhere\"': nowhere: no such file"),
        (["--start", "one.png"], "argument 'train.start=\"one.png\"': one.png: is not a checkpoint"),
        (["--start", "parent.safetensors", "train.freeze=[linera1]"], "no layer 'linera1' (did you mean"),
        (["--start", "parent.safetensors", "data.size=32"], "the weight of layer linear1 must be"),
        (["--config", "tiny.yaml", "train.freeze=[linear1]"], "freeze keeps the weights of `start`"),
        (["--start", ""], "needs a config"),
    ],
)
def test_a_wrong_start_is_one_clear_error(start: Path, arguments: list[str], message: str) -> None:
    outcome = cnn("train", *arguments, *FEW)
    assert outcome.code == ExitCode.USAGE
    assert message in outcome.err
    assert not Path("checkpoints").exists()


def test_the_config_can_be_shown_checked_and_summarized(start: Path) -> None:
    Path("own.yaml").write_text("train: {start: parent.safetensors}\n")
    assert cnn("config", "check", "own.yaml").out == "own.yaml: ok\n"
    assert "start: parent.safetensors" in cnn("config", "show", "own.yaml").out
    ours, parents = (json.loads(cnn("summary", name, "--json").out) for name in ("own.yaml", start))
    assert ours["layers"] == parents["layers"]
    start.unlink()
    outcome = cnn("config", "check", "own.yaml")
    assert outcome.code == ExitCode.USAGE
    assert outcome.err.startswith("error: own.yaml:1:16 train.start: parent.safetensors: no such file\n")
