"""`cnn data` for every kind of source, and published sets from the command line to a tested network."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import mirror, sets
from helpers.cli import Outcome, cnn, cnn_process
from PIL import Image

from cnn_cli.config import schema
from cnn_cli.config.adjust import data_settings
from cnn_cli.data import mnist
from cnn_cli.data.preprocess import network_input
from cnn_cli.data.sources import open_source
from cnn_cli.errors import ExitCode
from cnn_cli.training.datasets import measured_preprocessing

SYNTHETIC = ("data.name=synthetic", "data.synthetic.train=20", "data.synthetic.test=10")
OFFLINE = "data.download=false"


@pytest.fixture(params=sets.NAMES)
def name(request: pytest.FixtureRequest, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each published set, with few images, in the folder that the environment names."""
    return _put_in_place(request.param, workplace, monkeypatch)


def _put_in_place(name: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    sets.publish(monkeypatch, name, mirror.refused())
    sets.lay(sets.files(name), workplace / "data")
    return name


def one_error(outcome: Outcome) -> str:
    """Return the message of the only error."""
    (line,) = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    return line.removeprefix("error: ")


# ---- get


def test_get_prints_where_a_published_set_is_and_its_size(name: str, workplace: Path) -> None:
    outcome = cnn("data", "get", name)
    assert outcome == cnn("data", "get", f"data.name={name}")
    assert outcome.code == 0
    assert sorted(outcome.out.splitlines()) == sorted(
        str(workplace / "data" / path) for path in sets.files(name)
    )
    classes = 26 if name == "emnist-letters" else 10
    assert outcome.err == f"{name}: 60 train, 40 test images; {classes} classes\n"


def test_get_writes_one_object_as_json(name: str, workplace: Path) -> None:
    record = json.loads(cnn("data", "get", name, "--json").out)
    assert (record["name"], record["images"]) == (name, {"train": 60, "test": 40})
    assert record["paths"] == cnn("data", "get", name).out.splitlines()
    assert len(record["classes"]) == (26 if name == "emnist-letters" else 10)


def test_get_prints_where_mnist_is(mnist_folder: Path) -> None:
    outcome = cnn("data", "get", OFFLINE, f"data.root={mnist_folder}")
    assert sorted(outcome.out.split()) == sorted(str(path) for path in mnist_folder.glob("*.gz"))
    assert outcome.err == "mnist: 60,000 train, 10,000 test images; 10 classes\n"


def test_get_draws_synthetic_digits(workplace: Path) -> None:
    outcome = cnn("data", "get", *SYNTHETIC)
    assert (outcome.code, outcome.out) == (0, f"{workplace / 'data'}\n")
    assert outcome.err == "synthetic: 20 train, 10 test images; 10 classes\n"
    assert len(list((workplace / "data" / "synthetic").iterdir())) == 2


def test_get_uses_no_fallback(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets.publish(monkeypatch, "usps", mirror.refused())
    outcome = cnn("data", "get", "data.name=usps", "data.fallback=synthetic")
    assert (outcome.code, outcome.out) == (ExitCode.DATA, "")
    assert "usps is not in " in one_error(outcome)


def test_a_download_writes_its_paths_and_nothing_else(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """torchvision would draw its own bar on stderr, even in a pipe."""
    sets.lay({Path(path).name: data for path, data in sets.archives("kmnist").items()}, workplace / "web")
    with mirror.serve(workplace / "web", mirror.good) as site:
        sets.publish(monkeypatch, "kmnist", site.url)
        outcome = cnn("data", "get", "data.name=kmnist")
    assert outcome.code == 0
    assert [Path(line).is_file() for line in outcome.out.splitlines()] == 4 * [True]
    assert outcome.err == "kmnist: 60 train, 40 test images; 10 classes\n"
    assert capfd.readouterr() == ("", "")


# ---- check


def test_check_verifies_every_file_and_reads_both_splits(name: str) -> None:
    outcome = cnn("data", "check", "--json", f"data.name={name}")
    assert outcome.code == 0
    parts = [json.loads(line) for line in outcome.out.splitlines()]
    assert {part["state"] for part in parts} == {"ok"}
    assert {part["part"] for part in parts} == {*sets.files(name), "train", "test"}
    side = 32 if name in sets.COLOR else 28
    assert [part["detail"] for part in parts[-2:]] == [f"{n} images of {side}x{side}" for n in (60, 40)]
    proof = "as its header announces" if name in sets.GRAY else "MD5 as published"
    for part in parts[:-2]:
        assert part["detail"] == f"{len(sets.files(name)[part['part']]):,} bytes, {proof}"
        assert Path(part["path"]).is_file()


def test_check_of_missing_data(workplace: Path) -> None:
    outcome = cnn("data", "check", "cifar10")
    assert outcome.code == ExitCode.DATA
    assert len(outcome.out.splitlines()) == 7
    assert all(line.startswith("missing   cifar-10-batches-py/") for line in outcome.out.splitlines())
    assert one_error(outcome) == f"{workplace / 'data'}: cifar10 is not complete"
    assert "hint: cnn data get cifar10\n" in outcome.err
    assert not (workplace / "data").exists()


def test_check_uses_no_mirror_and_writes_nothing(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sets.lay({Path(path).name: data for path, data in sets.archives("kmnist").items()}, workplace / "web")
    with mirror.serve(workplace / "web", mirror.good) as site:
        sets.publish(monkeypatch, "kmnist", site.url)
        assert cnn("data", "check", "data.name=kmnist").code == ExitCode.DATA
    assert site.requests == []
    assert not (workplace / "data").exists()


def test_check_names_the_damaged_file(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _put_in_place("qmnist", workplace, monkeypatch)
    path = "QMNIST/raw/qmnist-test-labels-idx2-int"
    whole = sets.files("qmnist")[path]
    (workplace / "data" / path).write_bytes(whole[:-1])
    outcome = cnn("data", "check", "data.name=qmnist")
    assert outcome.code == ExitCode.DATA
    size = len(whole)
    assert f"damaged   {path}  cut short: {size - 1:,} of {size:,} bytes\n" in outcome.out
    assert outcome.out.count("ok ") == 3


def test_check_reads_data_that_is_not_published(workplace: Path) -> None:
    outcome = cnn("data", "check", *SYNTHETIC)
    assert outcome.code == 0
    assert outcome.out == "ok        train  20 images, 10 classes\nok        test  10 images, 10 classes\n"


# ---- show


def test_show_draws_any_set(name: str) -> None:
    outcome = cnn("data", "show", name, "--count", "12", "--test", "-o", "new/sheet.png")
    assert (outcome.code, outcome.out) == (0, "new/sheet.png\n")
    assert outcome.err == f"12 of 40 images of {name}\n"
    with Image.open("new/sheet.png") as sheet:
        colorful = np.ptp(np.asarray(sheet.convert("RGB")).astype(int), axis=2).max() > 0
    assert colorful == (name in sets.COLOR)


# ---- training


COLOR = ("data.channels=3", "data.size=32")
QUICK = ("train.epochs=1", "train.batch_size=10", "train.threads=1", "output.plot=false", "--out", "run")


@pytest.mark.parametrize(
    ("name", "settings", "classes"),
    [
        ("fashion-mnist", (), 10),
        ("emnist-letters", (), 26),
        ("usps", (), 10),
        ("svhn", (), 10),
        ("svhn", COLOR, 10),
        ("cifar10", COLOR, 10),
    ],
)
def test_the_shipped_network_learns_any_set(
    name: str, settings: tuple[str, ...], classes: int, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put_in_place(name, workplace, monkeypatch)
    outcome = cnn("train", "--config", "lenet.yaml", f"data.name={name}", *settings, *QUICK, "--json")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out.splitlines()[-1])
    assert (result["data"], result["fallback"], result["n"]) == (name, False, 40)
    figures = json.loads(cnn("eval", "run", "--json").out)
    assert (figures["data"], figures["accuracy"]) == (name, result["accuracy"])
    assert len(figures["per_class"]) == classes


def test_a_network_for_other_classes_is_refused_before_training(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put_in_place("emnist-letters", workplace, monkeypatch)
    outcome = cnn("train", "--config", "tiny.yaml", "data.name=emnist-letters")
    assert outcome.code == ExitCode.USAGE
    assert "ends with 10, but the data has 26 classes: end with `linear: classes`" in one_error(outcome)


def test_a_fallback_of_other_classes_is_refused(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """lenet.yaml has `fallback: synthetic`, which is for digits."""
    sets.publish(monkeypatch, "fashion-mnist", mirror.refused())
    outcome = cnn("train", "--config", "lenet.yaml", "data.name=fashion-mnist")
    assert outcome.code == ExitCode.DATA
    message = one_error(outcome)
    assert f"fashion-mnist is not in {workplace / 'data'}: " in message
    assert "synthetic digits cannot replace fashion-mnist, which has other classes" in message
    assert "data.name=fashion-mnist" in outcome.err.partition("hint: ")[2]
    assert not Path("checkpoints").exists()


def test_an_error_of_a_process_is_text_without_a_traceback(workplace: Path) -> None:
    outcome = cnn_process("data", "get", "data.name=svhn", OFFLINE)
    assert outcome.code == ExitCode.DATA
    assert one_error(outcome).startswith(f"svhn is not in {workplace / 'data'}: train_32x32.mat is missing")
    assert "Traceback" not in outcome.err


# ---- mean and deviation


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["kmnist", "cifar10"])
def test_mean_and_deviation_are_those_of_the_training_images(
    name: str, channels: int, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put_in_place(name, workplace, monkeypatch)
    data = data_settings([f"data.name={name}", f"data.channels={channels}", OFFLINE])
    layers = ({"flatten": None}, {"linear": "classes"})
    config = schema.Config.model_validate({"data": data.model_dump(), "model": {"layers": layers}})
    source = open_source(data)
    preprocessing = measured_preprocessing(config, source, source.train())
    assert preprocessing.kind == source.preprocessing == ("digit" if name == "kmnist" else "photo")
    pixels = sets.pixels(name, "train").astype(np.float64)
    if pixels.ndim == 3:
        pixels = np.repeat(pixels[..., None], channels, 3)
    elif channels == 1:
        gray = [np.asarray(Image.fromarray(image).convert("L")) for image in pixels.astype(np.uint8)]
        pixels = np.stack(gray)[..., None].astype(np.float64)
    assert preprocessing.mean == pytest.approx(tuple(pixels.mean((0, 1, 2)) / 255), abs=1e-3)
    assert preprocessing.std == pytest.approx(tuple(pixels.std((0, 1, 2)) / 255), abs=1e-3)
    inputs = network_input(source.train().store, preprocessing)
    assert inputs.shape == (60, channels, 28, 28)
    if name == "kmnist":
        assert torch.allclose(inputs.std(correction=0), torch.tensor(1.0), atol=1e-3)


def test_mnist_is_checked_by_its_four_files(mnist_folder: Path) -> None:
    outcome = cnn("data", "check", "--json", f"data.root={mnist_folder}")
    assert [json.loads(line)["part"] for line in outcome.out.splitlines()] == [
        file.name for file in mnist.FILES
    ]
