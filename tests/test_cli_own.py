"""A folder of images from the command line: training, evaluation, prediction, and errors."""

import importlib.util
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.albums import album, cache_folder, cached, image
from helpers.cli import cnn, spawn, wait_for
from PIL import Image
from safetensors.numpy import load_file

COLORS = {"blue": (0, 45, 255), "green": (0, 97, 0), "red": (190, 0, 0)}
"""Equally bright, so that they cannot be distinguished in gray."""

CONFIG = """\
data:
  name: own
  root: images
  channels: 3
  size: 16
model:
  layers: [{pool: {kind: avg, window: 16}}, flatten, {linear: 3}]
train: {epochs: 12, batch_size: 8, lr: 0.1, threads: 1, device: cpu}
output: {plot: false}
"""


def colored(path: Path, color: str, seed: int) -> Path:
    """Draw a noisy image in one color, of random size."""
    draws = np.random.default_rng(seed)
    height, width = draws.integers(20, 60, 2)
    pixels = np.array(COLORS[color]) + draws.normal(0, 20, (height, width, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def place(workplace: Path) -> Path:
    """A working folder with `colors.yaml` and 90 images in three colors."""
    (workplace / "colors.yaml").write_text(CONFIG)
    for seed in range(90):
        color = list(COLORS)[seed % 3]
        colored(workplace / "images" / color / f"{seed}.png", color, seed)
    return workplace


def test_a_run_becomes_longer_on_its_own_data_in_its_own_folder(place):
    """The state of a run is the user's own: unlike a checkpoint, it decides where the data is."""
    short = ("output.folder=runs", "train.epochs=2", "train.schedule=constant", "train.warmup=0")
    assert cnn("train", "--config", "colors.yaml", *short).code == 0
    longer = cnn("train", "--resume", "runs/colors", "train.epochs=3")
    assert longer.code == 0, longer.err
    whole = cnn("train", "--config", "colors.yaml", *short, "train.epochs=3", "--out", "whole")
    assert whole.code == 0, whole.err
    runs = Path("runs/colors"), Path("whole")
    assert runs[0].joinpath("history.jsonl").read_text().count("\n") == 3
    weights = [load_file(run / "model.safetensors") for run in runs]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[1])
    assert "root: images" in (runs[0] / "config.yaml").read_text()


def test_colors_are_learned_evaluated_and_predicted(place):
    trained = cnn("train", "--config", "colors.yaml", "--out", "run", "--json")
    assert trained.code == 0, trained.err
    assert "training colors on own data images: 65 images, 7 for validation" in trained.err
    result = json.loads(trained.out.splitlines()[-1])
    assert (result["data"], result["n"], result["fallback"]) == ("own data images", 18, False)
    assert result["accuracy"] == 1

    evaluated = cnn("eval", "run", "data.root=images", "--json")
    assert evaluated.code == 0, evaluated.err
    figures = json.loads(evaluated.out)
    assert (figures["accuracy"], figures["n"], figures["data"]) == (1, 18, "own data images")
    assert json.loads(cnn("eval", "run", "data.root=images", "--json", "--split", "train").out)["n"] == 65

    paths = [colored(place / f"{color} one.png", color, 500) for color in COLORS]
    predicted = cnn("predict", "--json", "--checkpoint", "run", *paths)
    assert predicted.code == 0, predicted.err
    answers = [json.loads(line) for line in predicted.out.splitlines()]
    assert [answer["label"] for answer in answers] == list(COLORS)
    assert list(answers[0]["probabilities"]) == list(COLORS)


def test_another_folder_can_be_evaluated(place):
    assert cnn("train", "--config", "colors.yaml", "--out", "run").code == 0
    for seed in range(12):
        for split in ("train", "test"):
            color = list(COLORS)[seed % 3]
            colored(place / "others" / split / color / f"{seed}.png", color, 1000 + seed)
    evaluated = cnn("eval", "run", "data.root=others", "--json")
    assert json.loads(evaluated.out)["n"] == 12
    album(place / "animals", 3)
    refused = cnn("eval", "run", "data.root=animals", "--json")
    assert refused.code == 3
    assert "own data animals has the classes cat, dog, eel" in refused.err


def test_a_folder_with_validation_images(place):
    for name, first in (("train", 0), ("val", 100), ("test", 200)):
        for seed in range(first, first + 9):
            color = list(COLORS)[seed % 3]
            colored(place / "split" / name / color / f"{seed}.png", color, seed)
    trained = cnn("train", "--config", "colors.yaml", "data.root=split")
    assert "on own data split: 9 images, 9 for validation" in trained.err, trained.err
    refused = cnn("train", "--config", "colors.yaml", "data.root=split", "data.validation=3")
    assert refused.code == 2
    assert "own data split has its own validation images" in refused.err


def test_data_get_and_check_count_the_images(place):
    settings = ("data.name=own", "data.root=images", "data.channels=3")
    got = cnn("data", "get", *settings)
    assert (got.code, got.out) == (0, "images\n")
    assert "own data images: 72 train, 18 test images; 3 classes" in got.err
    checked = cnn("data", "check", "--json", *settings)
    assert checked.code == 0, checked.err
    results = [json.loads(line) for line in checked.out.splitlines()]
    assert [(result["part"], result["state"]) for result in results] == [("train", "ok"), ("test", "ok")]
    (place / "images" / "red" / "broken.png").write_text("no image")
    assert cnn("data", "check", *settings).code == 3


def test_a_contact_sheet_of_a_folder(place):
    output = cnn("data", "show", "--out", "sheet.png", "data.name=own", "data.root=images", "data.channels=3")
    assert output.code == 0, output.err
    assert "images of own data images" in output.err
    assert (place / "sheet.png").is_file()


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        (["data.root=null"], 2, "root must name the folder or file of your data"),
        (["data.root=nowhere"], 3, "nowhere: no such file or folder"),
        (["data.root=colors.yaml"], 3, "colors.yaml: is not data in a known form"),
        (["model.layers=[flatten, {linear: 4}]"], 2, "4"),
    ],
)
def test_errors_are_reported_before_training(place, settings, code, message):
    outcome = cnn("train", "--config", "colors.yaml", *settings)
    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err
    assert outcome.err.startswith("error: ")


def test_a_broken_image_stops_or_is_skipped(place):
    broken = place / "images" / "red" / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff half")
    stopped = cnn("train", "--config", "colors.yaml")
    assert stopped.code == 3
    assert stopped.err.startswith(f"error: {Path('images/red/broken.jpg')}: is ")
    assert "hint: " in stopped.err
    assert "data.own.broken=skip" in stopped.err
    skipped = cnn("train", "--config", "colors.yaml", "data.own.broken=skip")
    assert skipped.code == 0
    assert f"warning: {Path('images/red/broken.jpg')}: is " in skipped.err
    assert "65 images" in skipped.err


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C in another way")
def test_ctrl_c_while_images_are_decoded(place):
    """All processes of the terminal get it. None complains, and no partial file remains."""
    for number in range(120):  # seconds of decoding, even on a fast machine
        path = place / "large" / f"class{number % 3}" / f"{number}.pgm"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:  # 36 million pixels that need no space on the disk
            file.write(b"P5 6000 6000 255\n" + number.to_bytes(2))
            file.truncate(36_000_017)
    process = spawn(
        "train", "--config", "colors.yaml", "data.root=large", "data.size=256", start_new_session=True
    )
    folder = cache_folder()
    wait_for(lambda: process.poll() is not None or any(folder.glob(".*.tmp")))
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    assert cached() == []


def test_the_cache_is_used_across_processes_and_grows_no_copies(place):
    for _ in range(2):
        assert cnn("train", "--config", "colors.yaml", "train.epochs=1").code == 0
    first = cached()
    image(place / "images" / "red" / "one more.png", 1)
    assert cnn("train", "--config", "colors.yaml", "train.epochs=1").code == 0
    assert len(first) == len(cached()) == 2
    assert first != cached()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_the_benchmark_of_many_images_on_a_few(place, monkeypatch):
    """The benchmark with 300 images: little memory, the same result from the cache, Pillow's pixels."""
    path = Path(__file__).parents[1] / "benchmarks" / "folder.py"
    monkeypatch.syspath_prepend(path.parent)
    spec = importlib.util.spec_from_file_location("folder_benchmark", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)

    report = benchmark.report(place / "bench", 300)
    first, second = report["first"], report["second"]
    assert first["test_accuracy"] == second["test_accuracy"]
    assert first["test_images"] == 60
    assert 100 < max(first["peak_memory_mb"], second["peak_memory_mb"]) < 2000

    (pixels,) = (place / "bench" / "cache").glob("*.npy")
    drawn = [np.asarray(Image.open(path)).tobytes() for path in (place / "bench" / "digits").rglob("*.png")]
    assert len(drawn) == 300
    assert sorted(image.tobytes() for image in np.load(pixels)) == sorted(drawn)
