"""The checkpoint: what was written comes back, and parts that do not fit together are refused."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from helpers import tiny
from safetensors import safe_open
from safetensors.numpy import load

from cnn_cli.checkpoint import file as checkpoint
from cnn_cli.checkpoint import tensorfile
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.errors import CnnError, DataError
from cnn_cli.model.build import initialize
from cnn_cli.model.network import load_network, network_for
from cnn_cli.reading.reader import Reader, network_of
from cnn_cli.training.evaluation import evaluate

VERSIONS = {"cnn": "1.0", "torch": "2.11"}
METRICS = {"epoch": 2, "validation_accuracy": 0.5, "validation_loss": None}


PREPROCESSING = {"size": 28, "mean": [0.1], "std": [0.3], "kind": "digit"}


@pytest.fixture
def trained() -> Checkpoint:
    config = tiny.config()
    network = network_for(config, 3)
    initialize(network, 0)
    return Checkpoint(
        weights={name: value.numpy() for name, value in network.state_dict().items()},
        config=config,
        classes=tiny.CLASSES,
        data="tiny",
        preprocessing=Preprocessing(28, mean=(0.125,), std=(0.3,)),
        metrics=METRICS,
        temperature=1.5,
        versions=VERSIONS,
    )


@pytest.fixture
def path(trained, tmp_path):
    path = tmp_path / "model.safetensors"
    checkpoint.write(path, trained)
    return path


def header_of(path) -> dict:
    with safe_open(path, framework="np") as file:
        return json.loads(file.metadata()[tensorfile.HEADER])


def rewrite(path, header: dict | None = None, weights: dict | None = None) -> None:
    """Replace the header or the weights of a file, and its checksum, as an attacker would."""
    header = {**(header_of(path) if header is None else header)}
    header.pop(tensorfile.DIGEST, None)
    tensorfile.write(path, load(path.read_bytes()) if weights is None else weights, header)


def refused(path) -> str:
    """Return the error of reading the file and building its networks, which names the file in one line."""
    messages = []
    for build in (load_network, network_of):
        with pytest.raises(DataError) as caught:
            build(checkpoint.read(path))
        messages.append(caught.value.message)
        assert messages[-1].startswith(f"{path}: ")
        assert "\n" not in messages[-1]
    return messages[0]


def test_round_trip(trained, path):
    read = checkpoint.read(path)
    assert read.path == path
    for field in ("config", "classes", "data", "preprocessing", "temperature", "metrics", "versions"):
        assert getattr(read, field) == getattr(trained, field)
    assert set(read.weights) == set(trained.weights)
    assert all(np.array_equal(read.weights[name], value) for name, value in trained.weights.items())


def test_the_header_has_these_parts(path):
    """The format that other programs, and later versions, have to read."""
    header = header_of(path)
    assert (header["kind"], header["format"]) == ("checkpoint", 2)
    assert header["preprocessing"] == {"size": 28, "mean": [0.125], "std": [0.3], "kind": "digit"}
    assert header["classes"] == list(tiny.CLASSES)
    assert header["versions"] == VERSIONS


def test_equal_checkpoints_give_equal_bytes(trained, path, tmp_path):
    other = tmp_path / "other"
    checkpoint.write(other, checkpoint.read(path))
    assert other.read_bytes() == path.read_bytes()
    checkpoint.write(other, dataclasses.replace(trained, data="others"))
    assert other.read_bytes() != path.read_bytes()


def test_the_network_computes_what_was_trained(trained, path):
    read, inputs = checkpoint.read(path), torch.rand(4, 1, 28, 28)
    network = load_network(read)
    twin = network_for(trained.config, 3)
    twin.load_state_dict({name: torch.from_numpy(value) for name, value in trained.weights.items()})
    assert not any(module.training for module in network.modules())
    with torch.no_grad():
        assert torch.equal(network(inputs), twin.eval()(inputs))
        expected = twin(inputs).numpy()
    np.testing.assert_allclose(network_of(read)(inputs.numpy()), expected, atol=1e-5)


def test_two_networks_of_a_checkpoint_share_no_weights(path):
    read = checkpoint.read(path)
    first, second = load_network(read), load_network(read)
    with torch.no_grad():
        first.conv1.weight.zero_()
    assert second.conv1.weight.any()


def test_half_precision_weights_become_float32(path):
    weights = {name: value.astype(np.float16) for name, value in load(path.read_bytes()).items()}
    rewrite(path, weights=weights)
    read = checkpoint.read(path)
    assert {p.dtype for p in load_network(read).parameters()} == {torch.float32}
    assert network_of(read)(np.zeros((1, 1, 28, 28), np.float32)).dtype == np.float32


# --- parts that do not fit together -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config", "classes", "data", "preprocessing", "metrics"])
def test_a_missing_part(path, name):
    header = header_of(path)
    del header[name]
    rewrite(path, header)
    assert name in refused(path)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("config", {}, "model"),
        ("config", None, "header cannot be used"),
        ("config", {"layers": []}, "header cannot be used"),
        ("preprocessing", {"size": 28, "mean": [0.1], "kind": "digit"}, "std"),
        ("preprocessing", PREPROCESSING | {"gamma": 2}, "gamma"),
        ("preprocessing", PREPROCESSING | {"size": 29}, "does not fit an input of 28 pixels"),
        ("preprocessing", PREPROCESSING | {"size": 10**12}, "does not fit an input of 28 pixels"),
        ("preprocessing", PREPROCESSING | {"size": "28"}, "an input of '28' pixels is impossible"),
        ("preprocessing", PREPROCESSING | {"width": 28.0}, "an input of 28.0 pixels is impossible"),
        ("preprocessing", PREPROCESSING | {"width": 29}, "does not fit an input of 28 pixels"),
        ("preprocessing", PREPROCESSING | {"mean": "0.1"}, "header cannot be used"),
        ("preprocessing", PREPROCESSING | {"mean": 0.1}, "header cannot be used"),
        ("preprocessing", PREPROCESSING | {"mean": [0.1] * 3, "std": [0.3] * 3}, "does not fit an input"),
        ("preprocessing", PREPROCESSING | {"std": [0]}, "cannot normalize pixels"),
        ("preprocessing", PREPROCESSING | {"mean": [float("nan")]}, "cannot normalize pixels"),
        ("preprocessing", PREPROCESSING | {"kind": "ink"}, "preprocessing 'ink' is not known"),
        ("preprocessing", [28, 0.1, 0.3], "header cannot be used"),
        ("preprocessing", PREPROCESSING | {"size": 28.0}, "an input of 28.0 pixels is impossible"),
        ("preprocessing", PREPROCESSING | {"mean": [10**400]}, "64 bits"),
        ("temperature", 0, "the temperature is 0"),
        ("temperature", 5e-324, "the temperature is 5e-324, not in 0.001 to 1000"),
        ("temperature", 1e308, "the temperature is 1e+308"),
        ("temperature", 10**400, "64 bits"),
        ("temperature", "warm", "header cannot be used"),
        ("metrics", {"test_accuracy": 10**400}, "64 bits"),
        ("metrics", {"test_accuracy": float("nan")}, "its test_accuracy is nan"),
        ("metrics", {"test_accuracy": "high"}, "header cannot be used"),
        ("classes", ["bar", "bar", "box"], "two of its classes have the same name"),
        ("temperature", float("inf"), "the temperature is inf"),
        ("metrics", 3, "header cannot be used"),
        ("classes", 3, "header cannot be used"),
        ("classes", ["bar", "box"], "weights do not fit its config"),
        ("classes", [], "weights do not fit its config"),
        ("format", 1, "has format 1"),
        ("format", 3, "has format 3"),
        ("kind", "training state", "is a training state, not a checkpoint"),
    ],
)
def test_a_wrong_part(path, part, value, message):
    rewrite(path, header_of(path) | {part: value})
    assert message in refused(path)


def test_a_file_of_the_format_before_says_what_to_do(path):
    header = header_of(path) | {"format": 1}
    header["preparation"] = header.pop("preprocessing")
    rewrite(path, header)
    with pytest.raises(DataError) as caught:
        checkpoint.read(path)
    assert caught.value.message == f"{path}: has format 1, but this version of cnn reads format 2"
    assert "an older version of cnn wrote it" in caught.value.hint


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("speed", 3, "speed"),
        ("train", {"rate": 3}, "train.rate"),
        ("train", {"epochs": -1}, "train.epochs"),
        ("model", {"layers": []}, "model.layers"),
        ("model", {"layers": ["flatten", {"linear": 4}]}, "weights do not fit its config"),
        ("model", {"layers": ["flatten", {"linear": 65536}, {"linear": 65536}]}, "weights do not fit"),
        ("model", {"layers": ["flatten", {"linear": 3}]}, "weights do not fit its config"),
        ("model", {"layers": ["__import__"]}, "header cannot be used"),
    ],
)
def test_a_wrong_config(path, section, value, message):
    header = header_of(path)
    header["config"][section] = value
    rewrite(path, header)
    assert message in refused(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights.pop("linear1.weight"),
        lambda weights: weights.clear(),
        lambda weights: weights.update(extra=np.zeros(1, np.float32)),
        lambda weights: weights.update({"linear1.weight": weights["linear1.weight"].T.copy()}),
        lambda weights: weights.update({"conv1.bias": np.zeros(5, np.float32)}),
    ],
    ids=["missing", "none", "extra", "turned", "longer"],
)
def test_wrong_weights(path, change):
    weights = load(path.read_bytes())
    change(weights)
    rewrite(path, weights=weights)
    assert "weights do not fit its config" in refused(path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("linear1.weight", lambda array: array.view(np.int32), "is of type int32, but weights are floats"),
        ("linear1.weight", lambda array: array > 0, "is of type bool, but weights are floats"),
        ("linear1.bias", lambda array: array * np.nan, "holds NaN or infinity"),
        ("linear1.bias", lambda array: array + np.inf, "holds NaN or infinity"),
        ("linear1.bias", lambda array: array.astype(np.float64) + 1e300, "holds NaN or infinity"),
        ("norm1.num_batches_tracked", lambda array: np.array(1.5, np.float64) * np.nan, "holds NaN"),
    ],
)
def test_weights_that_are_no_numbers(path, name, change, message):
    weights = load(path.read_bytes())
    weights[name] = change(weights[name])
    rewrite(path, weights=weights)
    assert message in refused(path)


def test_a_diverged_network_is_not_written(trained, path):
    before = path.read_bytes()
    weights = {
        name: value * np.float32("nan") for name, value in trained.weights.items() if "num" not in name
    }
    for changed in ({"weights": weights}, {"metrics": {"validation_loss": float("inf")}}):
        with pytest.raises(CnnError, match="is not written: ") as caught:
            checkpoint.write(path, dataclasses.replace(trained, **changed))
        assert "lower train.lr" in caught.value.hint
    assert path.read_bytes() == before


def test_finite_weights_whose_network_overflows(path):
    weights = load(path.read_bytes())
    weights["linear1.weight"][:] = 3e38
    rewrite(path, weights=weights)
    with pytest.raises(DataError, match="computes numbers that are not finite"):
        Reader([checkpoint.read(path)]).logits(np.ones((1, 1, 28, 28), np.float32))
    source = tiny.source(9, 9)
    with pytest.raises(DataError, match="computes numbers that are not finite"):
        evaluate([checkpoint.read(path)], source, "test", tiny.CPU)


@pytest.mark.parametrize("depth", [30, 300])
def test_layers_nested_too_deep(path, depth):
    """JSON, pydantic and the builders each have their own limit; each gives one line."""
    header = header_of(path)
    layer = "relu"
    for _ in range(depth):
        layer = {"residual": {"layers": [layer], "shortcut": []}}
    header["config"]["model"]["layers"].insert(0, layer)
    rewrite(path, header)
    if depth == 30:
        assert network_of(checkpoint.read(path))
    else:
        assert len(refused(path)) < 2000


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            {"repeat": {"times": 1000, "layers": [{"repeat": {"times": 1000, "layers": ["relu"]}}]}},
            "layer number",
        ),
        ({"conv": {"out": 65536, "kernel": 1, "padding": 500}}, "activations up to here"),
    ],
)
def test_absurd_layers(path, layer, message):
    header = header_of(path)
    header["config"]["model"]["layers"].insert(0, layer)
    weights = load(path.read_bytes())
    if "conv" in layer:
        weights |= {f"conv2.{name}": weights.pop(f"conv1.{name}") for name in ("weight", "bias")}
        weights |= {"conv1.weight": np.zeros((65536, 1, 1, 1), np.float32)}
        weights |= {"conv1.bias": np.zeros(65536, np.float32)}
    rewrite(path, header, weights)
    assert message in refused(path)


def test_messages_are_one_short_line(path):
    """Keys and values of a header are untrusted: a terminal must not obey them."""
    header = header_of(path)
    header["config"]["train"]["k\x1b[31m\n" * 100_000] = 1
    rewrite(path, header)
    assert len(refused(path)) < 2000
    assert refused(path).isprintable()
    rewrite(path, header_of(path) | {"kind": "\x1b[31m\n" * 1000})
    assert len(refused(path)) < 2000
    assert refused(path).isprintable()
