"""`cnn compare`: figures, JSON, exit codes, and files that it must not replace."""

import json
import shutil
from pathlib import Path

import pytest
from helpers import pages
from helpers.cli import TINY, cnn
from PIL import Image

from cnn_cli.checkpoint.file import read, write
from cnn_cli.errors import ExitCode


@pytest.fixture(scope="module")
def accurate_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is right more often than not."""
    folder = tmp_path_factory.mktemp("accurate")
    (folder / "tiny.yaml").write_text(TINY)
    settings = ("train.epochs=15", "train.lr=0.05", f"data.root={folder}")
    outcome = cnn("train", "--config", folder / "tiny.yaml", *settings, "--out", folder / "run")
    assert outcome.code == 0, outcome.err
    return folder / "run"


@pytest.fixture
def runs(workplace: Path, accurate_run: Path) -> Path:
    """A folder `run` of a trained network, and a folder `worse` of the same without half of its weights."""
    shutil.copytree(accurate_run, "run")
    shutil.copytree(accurate_run, "worse")
    checkpoint = read(Path("worse/model.safetensors"))
    name = next(name for name, array in checkpoint.weights.items() if array.ndim == 2)
    checkpoint.weights[name][:5] = 0
    write(Path("worse/model.safetensors"), checkpoint)
    return workplace


def result(*arguments: str) -> dict:
    return json.loads(cnn("compare", *arguments, "--json").out)


def test_figures_are_those_of_eval(runs: Path) -> None:
    compared = result("run", "worse")
    for name, side in (("run", compared["a"]), ("worse", compared["b"])):
        alone = json.loads(cnn("eval", name, "--json").out)
        for key in ("accuracy", "accuracy_interval", "correct", "loss", "calibration_error"):
            assert side[key] == alone[key]
    assert compared["n"] == sum(compared[key] for key in ("both", "only_a", "only_b", "neither")) == 100
    assert compared["difference"] == pytest.approx(compared["b"]["accuracy"] - compared["a"]["accuracy"])
    assert (compared["data"], compared["fallback"], compared["split"]) == ("synthetic", False, "test")
    assert compared["config"] == []
    summary = json.loads(cnn("summary", "run/config.yaml", "--json").out)
    assert compared["a"]["parameters"] == summary["parameters"]
    assert compared["a"]["multiply_adds"] == summary["multiply_adds"]


def test_a_worse_network_fails_only_if_asked(runs: Path) -> None:
    assert cnn("compare", "run", "worse").code == 0
    failed = cnn("compare", "run", "worse", "--fail-if-worse", "--json")
    assert failed.code == ExitCode.BELOW_BAR
    assert json.loads(failed.out)["worse"] is True
    assert "error: B is significantly less accurate than A: " in failed.err
    assert cnn("compare", "worse", "run", "--fail-if-worse").code == 0
    assert cnn("compare", "run", "run", "--fail-if-worse").code == 0


def test_a_fallback_satisfies_no_guard(runs: Path) -> None:
    outcome = cnn(
        *("compare", "run", "run", "data.name=mnist", "data.fallback=synthetic", "data.download=false"),
        *("data.root=nothing", "--fail-if-worse"),
    )
    assert outcome.code == ExitCode.DATA
    assert "--fail-if-worse applies to the requested data" in outcome.err


def test_text_for_people(runs: Path) -> None:
    shutil.copytree("run", "other")
    checkpoint = read(Path("other/model.safetensors"))
    train = checkpoint.config.train.model_copy(update={"lr": 0.5})
    config = checkpoint.config.model_copy(update={"train": train})
    write(Path("other/model.safetensors"), type(checkpoint)(**{**vars(checkpoint), "config": config}))
    lines = cnn("compare", "run", "other").out.splitlines()
    assert lines[0] == "A     run"
    assert lines[2] == "data  synthetic, test split, 100 images"
    assert any(line.split() == ["train.lr", "0.05", "0.5"] for line in lines)
    assert "McNemar's test  p = 1: no significant difference" in lines


def test_the_contact_sheet_has_the_images_of_only_one(runs: Path) -> None:
    outcome = cnn("compare", "run", "worse", "--contact-sheet", "only.png")
    compared = result("run", "worse")
    count = compared["only_a"] + compared["only_b"]
    assert count > 6
    assert "contact sheet: only.png (red frames: only A is right, blue frames: only B)" in outcome.err
    with Image.open("only.png") as sheet:
        rows = -(-count // 6)
        assert sheet.height % rows == 0
        assert sheet.height / rows > 84
    same = cnn("compare", "run", "run", "--contact-sheet", "none.png")
    assert "no contact sheet: no image is answered correctly by only one" in same.err
    assert not Path("none.png").exists()


def test_the_report(runs: Path) -> None:
    outcome = cnn("compare", "run", "worse", "--report", "both.html", "--json")
    assert "report: both.html" in outcome.err
    compared = json.loads(outcome.out)
    page = pages.read(Path("both.html"))
    rows = pages.section(page, "Image by image").find("table")[0].rows()
    assert [row[1:] for row in rows] == [
        [str(compared["both"]), str(compared["only_a"])],
        [str(compared["only_b"]), str(compared["neither"])],
    ]
    images = pages.section(page, "Images that only one reads correctly").find("img")
    assert len(images) == compared["only_a"] + compared["only_b"]
    assert "cnn compare run worse --report both.html" in page.text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], ExitCode.USAGE, "compare needs two checkpoints, not one checkpoint"),
        (["run", "run", "run"], ExitCode.USAGE, "compare needs two checkpoints, not 3 checkpoints"),
        (["run", "run", "train.epochs=3"], ExitCode.USAGE, "compare accepts only settings of the data"),
        (["run", "one.png"], ExitCode.DATA, "one.png: is not a checkpoint"),
        (["run", "run", "--report", "run/config.yaml"], ExitCode.USAGE, "the name must end in .html"),
        (["run", "run", "--contact-sheet", "run/model.safetensors"], ExitCode.USAGE, "must end in .png"),
    ],
)
def test_what_cannot_be_compared(runs: Path, arguments: list[str], code: int, message: str) -> None:
    before = {path: path.read_bytes() for path in Path("run").iterdir()}
    outcome = cnn("compare", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err
    assert {path: path.read_bytes() for path in Path("run").iterdir()} == before


def test_a_contact_sheet_replaces_no_image_of_the_data(workplace: Path) -> None:
    for label in ("a", "b"):
        for number in range(10):
            path = workplace / "images" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (16, 16), 25 * number).save(path)
    settings = [
        "data.name=own",
        "data.root=images",
        "train.epochs=0",
        "data.size=16",
        "data.validation=null",
    ]
    layers = "model.layers=[flatten, {linear: classes}]"
    assert cnn("train", "--config", "tiny.yaml", *settings, layers, "--out", "run").code == 0
    target = workplace / "images" / "a" / "3.png"
    before = target.read_bytes()
    outcome = cnn("compare", "run", "run", "data.root=images", "--contact-sheet", target)
    assert outcome.code == ExitCode.USAGE
    assert "would replace a file that is read" in outcome.err
    assert target.read_bytes() == before
