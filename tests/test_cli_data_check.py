"""`cnn data check` of your own images: equal ones, few ones of a class, and labels that look wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.cli import Outcome, cnn
from PIL import Image

from cnn_cli.errors import ExitCode

CONFIG = """\
data: {name: own, root: tones}
model:
  layers: [{pool: {kind: avg, window: 28}}, flatten, {linear: classes}]
train: {epochs: 20, batch_size: 16, lr: 0.1, threads: 1, device: cpu}
"""
TONES = {"black": (30,), "gray": (128, 110, 128, 146), "white": (225,)}
"""Brightness of the images of each tone, in turn."""


def tone(path: Path, name: str, seed: int) -> Path:
    """Draw noise of one brightness."""
    path.parent.mkdir(parents=True, exist_ok=True)
    brightness = TONES[name][seed % len(TONES[name])]
    noise = np.random.default_rng(seed).normal(brightness, 15, (30, 30))
    Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def tones(workplace: Path) -> Path:
    """20 images of each tone; one white image is among the black ones, and one gray among the white."""
    (workplace / "tones.yaml").write_text(CONFIG)
    root = workplace / "tones"
    for number in range(60):
        name = list(TONES)[number % 3]
        tone(root / name / f"{number}.png", name, number)
    tone(root / "black" / "x.png", "white", 100)
    tone(root / "white" / "y.png", "gray", 100)
    return root


def check(*arguments: object) -> Outcome:
    return cnn("data", "check", "data.name=own", "data.root=tones", *arguments)


def records(outcome: Outcome) -> list[dict]:
    assert outcome.code == 0, outcome.err
    return list(map(json.loads, outcome.out.splitlines()))


def test_wrong_labels_are_listed_with_path_label_and_suggestion(tones):
    outcome = cnn("data", "check", "--config", "tones.yaml", "--labels", "--out", "sheet.png")
    assert outcome.code == 0, outcome.err
    suspects = [line for line in outcome.out.splitlines() if line.startswith("suspect")]
    assert sorted(line.split(" (")[0] for line in suspects) == [
        "suspect   tones/black/x.png  labeled black, looks like white",
        "suspect   tones/white/y.png  labeled white, looks like gray",
    ]
    assert "2 of 62 labels look wrong\ncontact sheet: sheet.png, 2 of them\n" in outcome.err
    with Image.open("sheet.png") as sheet:
        assert sheet.height < 200
    (first, second) = [
        each
        for each in records(cnn("data", "check", "-c", "tones.yaml", "--labels", "--json"))
        if each["state"] == "suspect"
    ]
    assert first["confidence"] > 0.5
    assert {first["path"], second["path"]} == {"tones/black/x.png", "tones/white/y.png"}
    assert set(first) == {"state", "path", "split", "label", "suggested", "confidence"}


def test_a_trained_network_can_judge_instead(tones):
    trained = cnn("train", "--config", "tones.yaml", "--out", "run", "output.plot=false")
    assert trained.code == 0, trained.err
    outcome = check("--labels", "--with", "run", "--json")
    suspects = [each for each in records(outcome) if each["state"] == "suspect"]
    assert {"tones/black/x.png", "tones/white/y.png"} <= {each["path"] for each in suspects}
    for path in tones.glob("gray/*"):
        path.unlink()
    (tones / "gray").rmdir()
    tone(tones / "green" / "1.png", "gray", 7)
    other = check("--labels", "--with", "run")
    assert other.code == ExitCode.DATA
    assert "has the class green, but the network has black, gray, white" in other.err


def test_equal_images_are_listed_and_their_harm_is_told(tones):
    for split, name, source in (
        ("test", "gray", "gray/1.png"),
        ("test", "black", "black/0.png"),
        ("test", "white", "white/2.png"),
    ):
        target = tones / split / name / "other.png"
        target.parent.mkdir(parents=True)
        with Image.open(tones / source) as image:
            image.save(target, compress_level=1)  # other bytes, the same pixels
    for name in TONES:
        (tones / "train").mkdir(exist_ok=True)
        (tones / name).rename(tones / "train" / name)
    with Image.open(tones / "train" / "gray" / "1.png") as image:
        image.save(tones / "train" / "white" / "copy.bmp")
    outcome = check()
    assert outcome.code == 0, outcome.err
    assert (
        "equal     tones/train/gray/1.png (gray, train) = tones/train/white/copy.bmp (white, train) = "
        "tones/test/gray/other.png (gray, test)\n" in outcome.out
    )
    assert "warning: equal images in several splits, so accuracy will be overstated: 3\n" in outcome.err
    assert "warning: equal images with different labels: 1\n" in outcome.err
    groups = [each["images"] for each in records(check("--json")) if each["state"] == "equal"]
    assert sorted(map(len, groups)) == [2, 2, 3]
    assert {"path": "tones/test/gray/other.png", "split": "test", "label": "gray"} in [
        each for group in groups for each in group
    ]


def test_a_line_names_a_few_of_many_equal_images(tones):
    for number in range(7):
        (tones / "gray" / f"copy{number}.png").write_bytes((tones / "gray" / "1.png").read_bytes())
    (line,) = [line for line in check("data.own.test=0.05").out.splitlines() if line.startswith("equal")]
    assert line.count(" = ") == 5
    assert line.endswith(" = 3 more")


def test_a_class_with_one_image_is_reported(tones):
    tone(tones / "rare" / "1.png", "gray", 9)
    outcome = check("data.own.test=0.05")
    assert "classes with one training image or none: rare\n" in outcome.err


def test_the_paths_fit_the_images_when_the_test_set_is_cut(tones):
    """Also where a broken image was left out."""
    (tones / "black" / "0a.png").write_bytes(b"")
    from cnn_cli.config.schema import Data, Own
    from cnn_cli.data.sources import open_source
    from cnn_cli.image.preprocess import InputFormat, preprocess

    source = open_source(Data(name="own", root="tones", own=Own(broken="skip")))
    for split, load in source.splits.items():
        images, names = load(), source.names_of(split)
        assert len(names) == len(images)
        for place, name in enumerate(names):
            expected = preprocess(Path(name), InputFormat("photo", 28, 1), name=name)
            np.testing.assert_array_equal(images.take(slice(place, place + 1))[0].numpy(), expected)


@pytest.mark.parametrize("arguments", [["--out", "x.png"], ["--with", "reader"]])
def test_options_of_labels_need_labels(tones, arguments):
    outcome = check(*arguments)
    assert outcome.code == ExitCode.USAGE
    assert "--with and --out belong to --labels" in outcome.err
