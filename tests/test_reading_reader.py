"""The reader's answers equal torch's, for one network and for ensembles, without importing torch."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.networks import checkpoint_of
from PIL import Image, ImageDraw

from cnn_cli.checkpoint import file
from cnn_cli.checkpoint.choose import choose_checkpoint
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.data.preprocess import network_input, to_unit_range
from cnn_cli.errors import DataError
from cnn_cli.model.network import load_network
from cnn_cli.reading.reader import Reader, open_reader

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Return 40 images of strokes and noise: uint8 [40, 1, 28, 28]."""
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(40):
        image = Image.new("L", (28, 28))
        points = [tuple(point) for point in random.uniform(5, 23, (4, 2)).tolist()]
        ImageDraw.Draw(image).line(points, fill=255, width=3)
        drawn.append(np.maximum(np.asarray(image), random.integers(0, 40, (28, 28), np.uint8)))
    return np.stack(drawn)[:, None]


def torch_logits(checkpoint: Checkpoint, images: np.ndarray) -> torch.Tensor:
    """Return float64 [N, C]: the checkpoint's torch network in double precision."""
    preprocessing = checkpoint.preprocessing
    inputs = network_input(torch.from_numpy(images), preprocessing).double()
    with torch.no_grad():
        return load_network(checkpoint).double()(inputs)


def torch_probabilities(checkpoints: list[Checkpoint], images: np.ndarray) -> np.ndarray:
    """Return float64 [N, C]: the mean of the networks' calibrated probabilities."""
    members = [torch.softmax(torch_logits(each, images) / each.temperature, 1) for each in checkpoints]
    return torch.stack(members).mean(0).numpy()


def shipped(*names: str) -> list[Checkpoint]:
    return [file.read(choose_checkpoint(Path(name))) for name in names]


@pytest.mark.parametrize("names", [["reader"], ["lenet"], ["lenet", "reader"], ["reader", "lenet", "reader"]])
def test_networks_that_ship_equal_torchs(images: np.ndarray, names: list[str]) -> None:
    checkpoints = shipped(*names)
    reader = Reader(checkpoints)
    probabilities = reader.probabilities(reader.logits(reader.pixels(images)))
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities, torch_probabilities(checkpoints, images), atol=1e-5)
    assert probabilities.argmax(axis=1).tolist() == (
        torch_probabilities(checkpoints, images).argmax(axis=1).tolist()
    )


def test_the_logits_of_one_network_are_not_calibrated(images: np.ndarray) -> None:
    (checkpoint,) = shipped("reader")
    assert checkpoint.temperature != 1
    reader = Reader([checkpoint])
    logits = reader.logits(reader.pixels(images))
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, torch_logits(checkpoint, images), rtol=1e-4, atol=1e-4)


def test_each_member_has_its_own_normalization_and_temperature(images: np.ndarray) -> None:
    checkpoints = [
        checkpoint_of(1, mean=(0.1,), std=(0.3,), temperature=0.3),
        checkpoint_of(2, mean=(0.4,), std=(0.2,), temperature=2.5),
        checkpoint_of(3, mean=(0.0,), std=(1.0,)),
    ]
    reader = Reader(checkpoints)
    probabilities = reader.probabilities(reader.logits(reader.pixels(images)))
    np.testing.assert_allclose(probabilities, torch_probabilities(checkpoints, images), atol=1e-6)
    alone = Reader(checkpoints[:1])
    others = alone.probabilities(alone.logits(alone.pixels(images)))
    assert np.abs(probabilities - others).max() > 0.01  # the members do differ


def test_an_ensemble_of_very_confident_networks_is_exact() -> None:
    """The logarithm of the mean probability stays finite where every probability of a class underflows."""
    checkpoints = [checkpoint_of(seed, temperature=1e-3) for seed in (1, 2)]
    reader = Reader(checkpoints)
    images = np.random.default_rng(1).integers(0, 256, (8, 1, 28, 28), np.uint8)
    logits = reader.logits(reader.pixels(images))
    assert np.isfinite(logits).all()
    expected = torch_probabilities(checkpoints, images)
    np.testing.assert_allclose(reader.probabilities(logits), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "preprocessing"),
    [
        ((1, 28, 28), Preprocessing(28, (0.1,), (0.3,))),
        ((1, 28, 28), Preprocessing(32, (0.1,), (0.3,))),
        ((1, 28, 28), Preprocessing(40, (0.1, 0.2, 0.3), (0.3, 0.4, 0.5))),
        ((3, 32, 32), Preprocessing(32, (0.1, 0.2, 0.3), (0.3, 0.4, 0.5), "photo")),
        ((3, 50, 50), Preprocessing(24, (0.2,), (0.4,), "photo")),
    ],
)
def test_pixels_equal_those_of_training(shape, preprocessing) -> None:
    (checkpoint,) = shipped("reader")
    reader = Reader([checkpoint])
    reader.preprocessing = preprocessing
    images = np.random.default_rng(2).integers(0, 256, (5, *shape), np.uint8)
    expected = to_unit_range(torch.from_numpy(images), preprocessing).numpy()
    pixels = reader.pixels(images)
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, expected, atol=1e-6)


def test_logits_leave_the_pixels_as_they_are(images: np.ndarray) -> None:
    reader = Reader(shipped("reader", "lenet"))
    pixels = reader.pixels(images)
    before = pixels.copy()
    reader.logits(pixels)
    np.testing.assert_array_equal(pixels, before)


def test_the_name_and_the_data_of_an_ensemble() -> None:
    reader = open_reader([choose_checkpoint(Path(name)) for name in ("lenet", "reader", "lenet")])
    assert reader.name == "lenet"
    assert reader.trained_on == "mnist"
    assert reader.classes == tuple("0123456789")
    assert reader.input_format.shape == (1, 28, 28)


def test_weights_that_do_not_fit_are_an_error() -> None:
    checkpoint = checkpoint_of(3)
    missing = dict(list(checkpoint.weights.items())[1:])
    for weights in ({}, missing, checkpoint.weights | {"extra.weight": np.zeros(3, np.float32)}):
        with pytest.raises(DataError, match="weights do not fit its config"):
            Reader([dataclasses.replace(checkpoint, weights=weights)])


def test_networks_with_other_classes_are_an_error() -> None:
    with pytest.raises(DataError, match="classes"):
        Reader([checkpoint_of(1), checkpoint_of(1, path=Path("other")), *shipped("reader")])


MODULES = """
import json, sys
from pathlib import Path
from cnn_cli.reading.predict import predict
from cnn_cli.reading.reader import open_reader
from cnn_cli.reading.sources import ImageSource
from cnn_cli.reading.line_reader import open_line_reader
from cnn_cli.reading.text import read_texts
reader = open_reader([Path(sys.argv[1])])
image = ImageSource("image", Path(sys.argv[2]))
lines = open_line_reader([Path(sys.argv[3])])
answers = [*predict(reader, [image], explain=True), *read_texts(lines, [image])]
print(json.dumps([[type(each).__name__ for each in answers], sorted({m.split(".")[0] for m in sys.modules})]))
"""


def test_a_process_that_predicts_and_reads_imports_no_torch(tmp_path: Path) -> None:
    image = Image.new("L", (60, 60), 255)
    ImageDraw.Draw(image).line((30, 10, 32, 50), fill=0, width=6)
    image.save(tmp_path / "one.png")
    command = [
        sys.executable,
        "-c",
        MODULES,
        str(choose_checkpoint(Path("reader"))),
        str(tmp_path / "one.png"),
        str(choose_checkpoint(Path("line"))),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    answers, modules = json.loads(run.stdout)
    assert answers == ["Prediction", "ImageText"]
    assert {"numpy", "PIL"} <= set(modules)
    assert not {"torch", "torchvision", "scipy", "matplotlib", "typer", "rich"} & set(modules)
