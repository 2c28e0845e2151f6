"""The checkpoint: what predict and eval need comes back, and what does not fit together is refused."""

import dataclasses
import json

import pytest
from helpers import tiny
import torch
from safetensors import safe_open
from safetensors.torch import load, save

import cnn_cli
from cnn_cli.data.preprocess import Preprocessing
from cnn_cli.training import build
from cnn_cli.checkpoint import file as checkpoint, tensorfile
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.errors import DataError
from cnn_cli.model.build import initialize

METRICS = {"epoch": 2, "validation_accuracy": 0.5, "validation_loss": None}


@pytest.fixture
def trained() -> Checkpoint:
    config = tiny.config()
    network = build.network(config, 3)
    initialize(network, 0)
    return Checkpoint(
        weights=network.state_dict(),
        config=config,
        classes=tiny.CLASSES,
        data="tiny",
        preprocessing=Preprocessing(28, mean=(0.125,), std=(0.3,)),
        metrics=METRICS,
    )


@pytest.fixture
def path(trained, tmp_path):
    path = tmp_path / "model.safetensors"
    checkpoint.write(path, trained)
    return path


def header_of(path) -> dict:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()[tensorfile.HEADER])


def rewrite(path, header: dict | None = None, weights: dict | None = None) -> None:
    """Write the file anew with another header or other weights, as an attacker or another version would."""
    header = header_of(path) if header is None else header
    weights = load(path.read_bytes()) if weights is None else weights
    path.write_bytes(save(weights, metadata={tensorfile.HEADER: json.dumps(header)}))


def refused(path) -> str:
    """The one-line error of reading the file and building its network; it names the file."""
    with pytest.raises(DataError) as caught:
        checkpoint.read(path).network()
    message = caught.value.message
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_round_trip(trained, path):
    found = checkpoint.read(path)
    assert found.path == path
    for field in ("config", "classes", "data", "preprocessing", "metrics"):
        assert getattr(found, field) == getattr(trained, field)
    assert set(found.weights) == set(trained.weights)
    assert all(torch.equal(found.weights[name], value) for name, value in trained.weights.items())


def test_equal_checkpoints_give_equal_bytes(trained, path, tmp_path):
    other = tmp_path / "other"
    checkpoint.write(other, checkpoint.read(path))
    assert other.read_bytes() == path.read_bytes()
    checkpoint.write(other, dataclasses.replace(trained, data="others"))
    assert other.read_bytes() != path.read_bytes()


def test_the_network_computes_what_was_trained(trained, path):
    network, inputs = checkpoint.read(path).network(), torch.rand(4, 1, 28, 28)
    twin = build.network(trained.config, 3)
    twin.load_state_dict(trained.weights)
    assert not any(module.training for module in network.modules())
    with torch.no_grad():
        assert torch.equal(network(inputs), twin.eval()(inputs))


def test_two_networks_of_a_checkpoint_share_no_weights(path):
    found = checkpoint.read(path)
    first, second = found.network(), found.network()
    with torch.no_grad():
        first.conv1.weight.zero_()
    assert second.conv1.weight.any()


def test_half_precision_weights_are_read_as_float32(path):
    weights = {name: value.half() for name, value in load(path.read_bytes()).items()}
    rewrite(path, weights=weights)
    assert {p.dtype for p in checkpoint.read(path).network().parameters()} == {torch.float32}


def test_who_wrote_it_is_in_the_file(path):
    versions = header_of(path)["versions"]
    assert versions["cnn"] == cnn_cli.__version__
    assert versions["torch"] == torch.__version__


# --- parts that do not fit together -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config", "classes", "data", "preprocessing", "metrics"])
def test_a_missing_part(path, name):
    header = header_of(path)
    del header[name]
    rewrite(path, header)
    assert name in refused(path)


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("config", {}, "model"),
        ("config", None, "header cannot be used"),
        ("config", {"layers": []}, "header cannot be used"),
        ("preprocessing", {"size": 28, "mean": 0.1}, "std"),
        ("preprocessing", {"size": 28, "mean": 0.1, "std": 0.3, "gamma": 2}, "gamma"),
        ("preprocessing", {"size": 29, "mean": 0.1, "std": 0.3}, "does not fit an input of 28 pixels"),
        ("preprocessing", {"size": 10**12, "mean": 0.1, "std": 0.3}, "does not fit an input of 28 pixels"),
        ("preprocessing", {"size": "28", "mean": 0.1, "std": 0.3}, "does not fit an input of 28 pixels"),
        ("preprocessing", {"size": 28, "mean": "0.1", "std": 0.3}, "header cannot be used"),
        ("preprocessing", {"size": 28, "mean": 0.1, "std": 0}, "preprocessing"),
        ("preprocessing", {"size": 28, "mean": float("nan"), "std": 1}, "preprocessing"),
        ("preprocessing", [28, 0.1, 0.3], "header cannot be used"),
        ("metrics", 3, "header cannot be used"),
        ("classes", 3, "header cannot be used"),
        ("classes", ["bar", "box"], "weights do not fit its config"),
        ("classes", [], "weights do not fit its config"),
        ("format", 2, "has format 2"),
        ("kind", "training state", "is a training state, not a checkpoint"),
    ],
)
def test_a_wrong_part(path, part, value, said):
    rewrite(path, header_of(path) | {part: value})
    assert said in refused(path)


@pytest.mark.parametrize(
    ("section", "value", "said"),
    [
        ("speed", 3, "speed"),
        ("train", {"rate": 3}, "train.rate"),
        ("train", {"epochs": -1}, "train.epochs"),
        ("model", {"layers": []}, "model.layers"),
        ("model", {"layers": ["flatten", {"linear": 4}]}, "the data has 3 classes"),
        ("model", {"layers": ["flatten", {"linear": 65536}, {"linear": 65536}]}, "more than the limit"),
        ("model", {"layers": ["flatten", {"linear": 3}]}, "weights do not fit its config"),
        ("model", {"layers": ["__import__"]}, "header cannot be used"),
    ],
)
def test_a_wrong_config(path, section, value, said):
    header = header_of(path)
    header["config"][section] = value
    rewrite(path, header)
    assert said in refused(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights.pop("linear1.weight"),
        lambda weights: weights.clear(),
        lambda weights: weights.update(extra=torch.zeros(1)),
        lambda weights: weights.update({"linear1.weight": weights["linear1.weight"].T.contiguous()}),
        lambda weights: weights.update({"conv1.bias": torch.zeros(5)}),
    ],
    ids=["missing", "none", "extra", "turned", "longer"],
)
def test_wrong_weights(path, change):
    weights = load(path.read_bytes())
    change(weights)
    rewrite(path, weights=weights)
    assert "weights do not fit its config" in refused(path)
