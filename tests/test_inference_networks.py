"""Whole networks in NumPy: the same logits as torch, the same answers, clear errors, and no torch."""

import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file

from cnn_cli.checkpoint.choose import shipped
from cnn_cli.checkpoint.start import parent_of
from cnn_cli.config.load import load_config
from cnn_cli.config.schema import Config
from cnn_cli.errors import DataError, NetworkError
from cnn_cli.inference import activations, fold
from cnn_cli.inference.build import build_network
from cnn_cli.inference.fast import FastConv
from cnn_cli.inference.network import Layer, Network, Parallel, Residual
from cnn_cli.inference.preprocess import preprocess
from cnn_cli.model import build

pytestmark = pytest.mark.usefixtures("one_thread")

ROOT = Path(__file__).resolve().parent.parent
FOR_LINES = ROOT / "configs" / "line.yaml"
"""Compared in test_training_lines.py: its scores are those of columns."""
CONFIGS = sorted({*(ROOT / "configs").glob("**/*.yaml")} - {FOR_LINES})
PRETRAINED = [shipped(name) for name in ("best", "lenet", "reader")]
"""The networks for single digits; tests/test_training_lines.py compares one for lines."""
LARGE = {"vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "resnet101", "resnet152"}
"""Seconds each, most of them for drawing the weights; vgg11 and resnet50 are made of the same parts."""

DRAWS = 1_000_003
"""Numbers that are drawn for one tensor; a larger one repeats them, at no two equal places of its rows."""

Spec = tuple[list[tuple[str, dict[str, Any]]], tuple[int, int, int], int]
"""The layers, the shape of one input, and the number of classes."""


def spec(config: Config) -> Spec:
    data = config.data
    layers = [(item.name, item.parameters) for item in config.model.layers]
    return layers, (data.channels, data.size, data.size), config.model.classes or 10


def parse(*layers: Any, shape: tuple[int, int, int] = (2, 9, 8), classes: int = 3) -> Spec:
    """The layers as the YAML writes them; they end with `flatten` and a linear layer."""
    config = Config.model_validate(
        {"name": "test", "model": {"layers": [*layers, "flatten", {"linear": "classes"}], "classes": classes}}
    )
    return spec(config)[0], shape, classes


def random_values(name: str, shape: torch.Size, random: np.random.Generator) -> NDArray[np.float32]:
    """Weights and statistics that keep the numbers in a network of one size, whatever its depth."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if len(shape) > 1:
        numbers = random.standard_normal(min(DRAWS, np.prod(shape)), np.float32)
        return np.resize(numbers * np.float32(np.sqrt(2 / np.prod(shape[1:]))), shape)
    if name.endswith(("running_var", "weight", "coefficient")):
        return random.uniform(0.7, 1.3, shape).astype(np.float32)
    return random.normal(0, 0.2, shape).astype(np.float32)


def with_weights(network: Spec, seed: int = 0) -> tuple[torch.nn.Module, dict[str, NDArray[Any]]]:
    """The torch network with random weights, and those."""
    module, random = build.build_network(*network).eval(), np.random.default_rng(seed)
    weights = {
        name: random_values(name, tensor.shape, random) for name, tensor in module.state_dict().items()
    }
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, assign=True)
    return module, weights


def draw(network: Spec, count: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal((count, *network[1]), np.float32)


@torch.inference_mode()
def by_torch(module: torch.nn.Module, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return torch.cat([module(batch) for batch in torch.from_numpy(inputs).split(250)]).numpy()


def assert_same_logits(found: NDArray[np.float32], expected: NDArray[np.float32], within: float) -> None:
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.isfinite(expected).all()
    assert expected.std(0).max() > 1e-3 or len(expected) == 1  # so that equality says something
    assert np.abs(found - expected).max() <= within * np.abs(expected).max()


# --- the same logits as torch -------------------------------------------------------------------------------


def check(network: Spec, count: int = 3, within: float = 1e-5) -> Network:
    """Compare torch, the plain and the folded network; return the folded one."""
    module, weights = with_weights(network)
    inputs = draw(network, count)
    before, expected = inputs.copy(), by_torch(module, inputs)
    fast = build_network(*network, weights)
    assert_same_logits(fast(inputs), expected, within)
    assert_same_logits(build_network(*network, weights, fast=False)(inputs), expected, within)
    assert np.array_equal(inputs, before), "the network wrote over its input"
    return fast


CONV = {"conv": {"out": 4, "kernel": 3, "padding": "same"}}

CHAINS: dict[str, list[Any]] = {
    "norm first": [{"norm": "batch"}, "relu", CONV],
    "norm after conv": [CONV, {"norm": "batch"}, "relu", {"pool": 2}, CONV, {"norm": {"eps": 0.1}}],
    "norm twice": [CONV, {"norm": "batch"}, {"norm": "batch"}, "relu"],
    "norm after relu": [CONV, "relu", {"norm": "batch"}, "relu"],
    "norms that stay": [
        CONV,
        {"norm": "layer"},
        "relu",
        CONV,
        {"norm": {"kind": "group", "groups": 2}},
        "relu",
    ],
    "norm after linear": ["flatten", {"linear": {"out": 8, "bias": False}}, {"norm": "batch"}, "relu"],
    "padding after padding": [
        CONV,
        CONV,
        "relu",
        {"conv": {"out": 3, "kernel": [4, 2], "padding": "same"}},
        CONV,
    ],
    "grouped": [
        CONV,
        {"conv": {"out": 8, "kernel": 3, "groups": 4}},
        "relu",
        {"conv": {"out": 8, "kernel": 1}},
    ],
    "depthwise": [
        CONV,
        {"conv": {"out": 4, "kernel": 3, "groups": 4, "padding": 1}},
        {"norm": "batch"},
        "relu",
    ],
    "relu of a view": [{"pool": 1}, "relu", "relu", {"pool": {"window": 1, "kind": "avg"}}, "relu"],
    "relu first": [{"residual": ["relu", CONV]}],
    "dropout between": [CONV, {"dropout": 0.3}, "relu", {"dropout": 0.3}, {"norm": "batch"}],
    "residual": [{"residual": [{"conv": {"out": 2, "kernel": 3, "padding": "same"}}, "relu"]}, "relu"],
    "projection": [{"residual": [{"conv": {"out": 6, "kernel": 3, "stride": 2, "padding": "same"}}]}, "relu"],
    "projection of vectors": ["flatten", {"residual": [{"linear": 7}, "relu"]}],
    "shortcut": [{"residual": {"layers": [CONV], "shortcut": [{"conv": {"out": 4, "kernel": 1}}, "relu"]}}],
    "identity inside": [CONV, {"residual": [{"dropout": 0.1}]}, "relu"],
    "parallel": [
        CONV,
        {"parallel": [[CONV, "relu"], [], [{"pool": {"window": 3, "stride": 1, "padding": 1}}]]},
        CONV,
    ],
    "parallel vectors": [{"parallel": [["flatten", {"linear": 4}], ["flatten", "relu"]]}, "relu"],
    "repeat": [{"repeat": {"times": 3, "layers": [CONV, {"norm": "batch"}, "relu"]}}],
    "auxiliary": [CONV, {"auxiliary": ["flatten", {"linear": "classes"}]}, "relu"],
    "squashed": [
        CONV,
        "tanh",
        CONV,
        "sigmoid",
        CONV,
        "gelu",
        CONV,
        "silu",
        {"leaky_relu": 0.2},
        "scaled_tanh",
    ],
    "lrn": [CONV, "relu", "lrn", "affine", {"global_pool": {"kind": "max", "size": [2, 3]}}],
}


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize("name", CHAINS)
def test_a_small_network_computes_what_torch_computes(name: str) -> None:
    layers, shape, classes = parse(*CHAINS[name])
    if "vector" in name or "linear" in name:  # they give a vector: no `flatten` is needed after them
        del layers[-2]
    check((layers, shape, classes))


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow) if path.stem in LARGE else path for path in CONFIGS],
    ids=lambda path: path.relative_to(ROOT / "configs").with_suffix("").as_posix(),
)
def test_a_config_gives_torchs_logits(path: Path) -> None:
    network = spec(load_config(str(path), parent_of=parent_of).config)
    module, weights = with_weights(network)
    inputs = draw(network, 1 if network[1][1] > 64 else 3)
    expected = by_torch(module, inputs)
    assert_same_logits(build_network(*network, weights)(inputs), expected, 1e-4)


# --- the networks that ship ---------------------------------------------------------------------------------


def shipped(path: Path) -> tuple[Spec, dict[str, NDArray[Any]], dict[str, Any]]:
    """The network, its weights, and how its inputs are made."""
    with safe_open(path, "np") as file:
        header = json.loads(file.metadata()["cnn"])
    values = header["preprocessing"]
    inputs = values | {key: tuple(values[key]) for key in ("mean", "std")}
    return spec(Config.model_validate(header["config"])), load_file(path), inputs


def compare_on_mnist(path: Path, folder: Path, count: int) -> None:
    network, weights, settings = shipped(path)
    with gzip.open(folder / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)[:count]
    with gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)[:count]
    inputs = preprocess(images, **settings)
    module = build.build_network(*network).eval()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    expected, found = by_torch(module, inputs), build_network(*network, weights)(inputs)
    assert_same_logits(found, expected, 1e-5)
    assert (found.argmax(1) == expected.argmax(1)).all()
    assert (found.argmax(1) == labels).mean() > 0.99


@pytest.mark.parametrize("path", PRETRAINED, ids=lambda path: path.stem)
def test_a_shipped_network_gives_torchs_answers(path: Path, mnist_folder: Path) -> None:
    compare_on_mnist(path, mnist_folder, 1_000)


@pytest.mark.slow
@pytest.mark.parametrize("path", PRETRAINED, ids=lambda path: path.stem)
def test_a_shipped_network_gives_torchs_answers_to_all_test_digits(path: Path, mnist_folder: Path) -> None:
    compare_on_mnist(path, mnist_folder, 10_000)


# --- folding ------------------------------------------------------------------------------------------------


def test_lenet_folds_to_convolutions_pools_and_linear_layers() -> None:
    network = spec(load_config("lenet").config)
    names = [step.name for step in check(network).chain.layers]
    assert names == [
        *("conv1", "pool1", "conv2", "pool2", "flatten1"),
        *("linear1", "relu3", "linear2", "relu4", "linear3"),
    ]


def test_padding_moves_to_the_convolution_before() -> None:
    first, second, _, _ = check(parse(CONV, "relu", CONV)).chain.layers
    assert isinstance(first, Layer)
    assert isinstance(second, Layer)
    assert isinstance(first.function, FastConv)
    assert isinstance(second.function, FastConv)
    assert (first.function.border, first.function.margin) == (((1, 1), (1, 1)), ((1, 1), (1, 1)))
    assert (second.function.border, second.function.margin) == (((0, 0), (0, 0)), ((0, 0), (0, 0)))


@pytest.mark.parametrize("tile", [1, 2, 5, None])
def test_tiles_change_nothing(tile: int | None) -> None:
    network = spec(load_config("tiny").config)
    _, weights = with_weights(network)
    fast, inputs = build_network(*network, weights), draw(network, 5)
    assert fast.tile == fold.TILE
    np.testing.assert_allclose(replace(fast, tile=tile)(inputs), fast(inputs), rtol=1e-4, atol=1e-6)
    assert replace(fast, tile=tile)(inputs[:0]).shape == (0, 10)


# --- walking through a network ------------------------------------------------------------------------------


def test_trace_gives_every_layers_output() -> None:
    network = parse(CONV, "relu", {"block": {"name": "part", "layers": [CONV, {"pool": 2}]}})
    module, weights = with_weights(network)
    plain, inputs = build_network(*network, weights, fast=False), draw(network, 2)
    outputs = torch.from_numpy(inputs)
    with torch.inference_mode():
        for (name, found), (expected_name, layer) in zip(
            plain.trace(inputs), module.named_children(), strict=True
        ):
            outputs = layer(outputs)
            assert name == expected_name
            np.testing.assert_allclose(found, outputs.numpy(), atol=1e-5)


def test_the_steps_carry_the_names_of_the_weights() -> None:
    """As torch names its modules, whatever is inside."""
    network = spec(load_config("paper/googlenet").config)
    module, weights = with_weights(network)
    names: list[str] = []

    def walk(step: Any) -> None:
        names.append(step.name)
        inside = [*step.branches] if isinstance(step, Parallel) else list(getattr(step, "layers", ()))
        for one in [*step.layers.layers, step.shortcut] if isinstance(step, Residual) else inside:
            walk(one)

    walk(build_network(*network, weights, fast=False).chain)
    theirs = [name for name, _ in module.named_modules() if "auxiliary1." not in name]
    assert names == theirs


# --- errors -------------------------------------------------------------------------------------------------


def broken(change: str, network: Spec) -> tuple[str, dict[str, NDArray[Any]]]:
    """A tensor's name, and weights in which something is wrong with it."""
    weights = with_weights(network)[1]
    name = "part1.residual1.shortcut.conv1.weight"
    if change == "missing":
        del weights[name]
    elif change == "misshapen":
        weights[name] = weights[name][:, :1]
    else:
        weights["part1.conv9.weight"] = weights[name]
    return "part1.conv9.weight" if change == "unknown" else name, weights


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("missing", "the tensor NAME is missing"),
        ("misshapen", "the tensor NAME is 4x1x1x1, but must be 4x2x1x1"),
        ("unknown", "the tensor NAME belongs to no layer of the network"),
    ],
)
def test_wrong_weights_are_refused(change: str, says: str) -> None:
    network = parse({"block": {"name": "part", "layers": [{"residual": [CONV]}]}})
    name, weights = broken(change, network)
    with pytest.raises(DataError) as error:
        build_network(*network, weights)
    assert error.value.message == says.replace("NAME", name)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        (
            [{"conv": {"out": 4, "kernel": 10}}],
            "model.layers[0].conv: its window does not fit the 2x9x8 input",
        ),
        ([{"pool": 9}], "model.layers[0].pool: its window does not fit the 2x9x8 input"),
        ([{"linear": 4}], "model.layers[0].linear: it needs a vector, but its input is 2x9x8"),
        (["flatten", CONV], "model.layers[1].conv: it needs an image, but its input is a vector of 144"),
        (
            [{"conv": {"out": 4, "kernel": 3, "groups": 4}}],
            "model.layers[0].conv: 4 groups do not divide 2 input and 4 output channels",
        ),
        (
            [{"repeat": {"times": 2, "layers": [{"parallel": [[{"pool": 2}], []]}]}}],
            "model.layers[0].repeat.layers[0].parallel: the branches cannot be joined: "
            "they give 2x4x4, 2x9x8",
        ),
        (
            [{"residual": {"layers": [CONV], "shortcut": []}}],
            "model.layers[0].residual: its layers give 4x9x8, but its shortcut 2x9x8",
        ),
        (
            [{"residual": ["flatten"]}],
            "model.layers[0].residual: no shortcut leads from 2x9x8 to 144",
        ),
    ],
)
def test_layers_that_do_not_fit_are_refused(layers: list[Any], says: str) -> None:
    weights = {
        "residual1.conv1.weight": np.ones((4, 2, 3, 3), np.float32),
        "residual1.conv1.bias": np.ones(4, np.float32),
    }
    with pytest.raises(NetworkError) as error:
        build_network(*parse(*layers), weights)
    assert error.value.message == says


def test_a_network_for_other_classes_is_refused() -> None:
    layers, shape, _ = parse(CONV)
    _, weights = with_weights((layers, shape, 3))
    layers[-1] = ("linear", {"out": 3, "bias": True})
    with pytest.raises(NetworkError, match="they give 3, but there are 4 classes"):
        build_network(layers, shape, 4, weights)


def test_inputs_of_another_shape_are_refused() -> None:
    network = parse(CONV)
    _, weights = with_weights(network)
    with pytest.raises(ValueError, match=r"the inputs have shape \(1, 2, 9, 9\)"):
        build_network(*network, weights)(np.zeros((1, 2, 9, 9), np.float32))


# --- without torch ------------------------------------------------------------------------------------------

WITHOUT_TORCH = """
import json, sys
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file
from cnn_cli.config.schema import Config
from cnn_cli.inference.activations import softmax
from cnn_cli.inference.build import build_network
from cnn_cli.inference.preprocess import preprocess

path = sys.argv[1]
with safe_open(path, "np") as file:
    config = Config.model_validate(json.loads(file.metadata()["cnn"])["config"])
layers = [(item.name, item.parameters) for item in config.model.layers]
network = build_network(layers, (1, 28, 28), 10, load_file(path))
images = np.zeros((2, 1, 20, 30), np.uint8)
inputs = preprocess(images, size=28, mean=(0.1,), std=(0.3,), kind="digit")
print(softmax(network(inputs)).sum(1).round(6).tolist())
print(sorted({"torch", "torchvision", "scipy", "matplotlib"} & set(sys.modules)))
"""


def test_a_network_runs_without_torch() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            WITHOUT_TORCH,
            str(ROOT / "checkpoints" / "pretrained" / "reader.safetensors"),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["[1.0, 1.0]", "[]"]


def test_relu_alone_does_not_write_over_its_input() -> None:
    inputs = np.array([[-1.0, 2.0]], np.float32)
    activations.relu(inputs)
    assert inputs.tolist() == [[-1.0, 2.0]]
