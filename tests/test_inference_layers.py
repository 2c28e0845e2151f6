"""Every layer in NumPy against the layer of the same name in torch, with random shapes and parameters."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cnn_cli.config.network import vocabulary
from cnn_cli.inference import activations, shapes
from cnn_cli.inference.build import HOLDERS, IN_WEIGHTS, LAYERS
from cnn_cli.inference.convolution import conv
from cnn_cli.inference.fast import PIECE, DepthwiseConv, FastConv, GroupedConv, fast_conv
from cnn_cli.model.layers import LAYERS as TORCH
from cnn_cli.model.shapes import LayerError

pytestmark = pytest.mark.usefixtures("one_thread")

CASES = 60
"""Random layers of each kind."""


def assert_close(found: NDArray[Any], expected: NDArray[Any], within: float = 1e-5) -> None:
    """Equal shapes, and no number further apart than that share of the largest."""
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    if expected.size:
        assert np.abs(found - expected).max() <= within * np.abs(expected).max()


def randomize(module: torch.nn.Module, random: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Draw all weights and statistics of a torch module; variances are positive."""
    state = {
        name: random.uniform(0.5, 2, tensor.shape)
        if name.endswith("var")
        else random.normal(size=tensor.shape)
        for name, tensor in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    values = {name: np.asarray(value, np.float32) for name, value in state.items()}
    module.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()}, strict=False)
    return values


def arguments(name: str, parameters: dict[str, Any], weights: dict[str, Any]) -> dict[str, Any]:
    """What the NumPy function takes beside its inputs."""
    plain = {key: value for key, value in parameters.items() if key not in IN_WEIGHTS.get(name, ())}
    return plain | ({"bias": None} if parameters.get("bias") is False else {}) | weights


def draw_images(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """One to three inputs; images may lie in memory in either order."""
    inputs = random.normal(size=(random.integers(1, 4), *shape)).astype(np.float32) * 2
    if len(shape) == 3 and random.random() < 0.5:
        return np.ascontiguousarray(inputs.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return inputs


def pair(random: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    return int(random.integers(low, high + 1)), int(random.integers(low, high + 1))


def draw_conv(random: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Any]:
    groups = int(random.choice([1, 1, 1, 2, shape[0]]))
    return {
        "out": groups * int(random.integers(1, 5)) if random.random() < 0.8 else groups,
        "kernel": pair(random, 1, 5),
        "stride": pair(random, 1, 3) if random.random() < 0.5 else (1, 1),
        "padding": [*["valid", "same"], pair(random, 0, 3)][random.integers(3)],
        "dilation": pair(random, 1, 3) if random.random() < 0.3 else (1, 1),
        "groups": groups,
        "bias": bool(random.integers(2)),
    }


def draw_pool(random: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "window": pair(random, 1, 5),
        "kind": str(random.choice(["max", "avg"])),
        "stride": pair(random, 1, 6) if random.random() < 0.7 else None,
        "padding": pair(random, 0, 2) if random.random() < 0.6 else (0, 0),
        "ceil": bool(random.integers(2)),
    }


def draw_global_pool(random: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Any]:
    size = pair(random, 1, 9) if random.random() < 0.7 else (1, 1)
    return {"kind": str(random.choice(["max", "avg"])), "size": size}


def draw_norm(random: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Any]:
    kind = str(random.choice(["batch", "layer", "group"]))
    return {
        "kind": kind,
        "groups": int(random.choice([1, 2, shape[0]])),
        "eps": float(random.choice([1e-5, 0.1])),
    }


def draw_lrn(random: np.random.Generator, shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "size": int(random.integers(1, 8)),
        "alpha": float(random.uniform(1e-4, 2)),
        "beta": float(random.choice([0.75, 0.5, 1.3])),
        "k": float(random.uniform(0.5, 2)),
    }


DRAWN = {
    "conv": draw_conv,
    "pool": draw_pool,
    "global_pool": draw_global_pool,
    "linear": lambda random, shape: {"out": int(random.integers(1, 30)), "bias": bool(random.integers(2))},
    "norm": draw_norm,
    "lrn": draw_lrn,
    "dropout": lambda random, shape: {"p": 0.4},
    "leaky_relu": lambda random, shape: {"slope": float(random.uniform(0, 1))},
}
"""The layers that have parameters."""

IMAGES_ALONE = {"conv", "pool", "global_pool", "affine", "flatten", "lrn"}


def draw_shape(random: np.random.Generator, name: str) -> tuple[int, ...]:
    image = (int(random.choice([1, 2, 3, 4, 6, 18])), *pair(random, 1, 14))
    vector = (2 * int(random.integers(1, 20)),)
    if name == "linear":
        return vector
    return image if name in IMAGES_ALONE or random.random() < 0.7 else vector


def cases(
    name: str,
) -> Iterator[tuple[dict[str, Any], dict[str, Any], NDArray[np.float32], NDArray[np.float32]]]:
    """Yield parameters, weights, inputs and torch's outputs of random layers of that name."""
    random, count = np.random.default_rng(len(name) * 1000 + ord(name[0])), 0
    while count < CASES:
        shape = draw_shape(random, name)
        parameters = DRAWN[name](random, shape) if name in DRAWN else {}
        try:
            module = TORCH[name](shape, **parameters).eval()
            weights, inputs = randomize(module, random), draw_images(random, shape)
            with torch.inference_mode():
                outputs = module(torch.from_numpy(np.ascontiguousarray(inputs))).numpy()
        except (LayerError, RuntimeError, ValueError):  # no such layer, or torch refuses it
            continue
        count += 1
        yield parameters, weights, inputs, outputs


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_what_torch_computes(name: str) -> None:
    for parameters, weights, inputs, expected in cases(name):
        before = inputs.copy()
        found = LAYERS[name](inputs, **arguments(name, parameters, weights))
        assert_close(found, expected)
        assert np.array_equal(inputs, before), "the layer wrote over its input"


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize("name", LAYERS)
def test_the_shapes_are_torchs(name: str) -> None:
    for parameters, weights, inputs, expected in cases(name):
        shape = inputs.shape[1:]
        assert shapes.output(name, parameters, shape) == expected.shape[1:]
        assert shapes.weights(name, parameters, shape) == {key: value.shape for key, value in weights.items()}


@pytest.mark.parametrize("name", LAYERS)
def test_no_inputs_give_no_outputs(name: str) -> None:
    parameters, weights, inputs, expected = next(cases(name))
    found = LAYERS[name](inputs[:0], **arguments(name, parameters, weights))
    assert found.shape == (0, *expected.shape[1:])


def test_the_vocabulary_is_complete() -> None:
    assert {*LAYERS, *HOLDERS, "repeat"} == set(vocabulary())


# --- the fast layers ----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize("relu", [False, True])
def test_a_fast_convolution_computes_the_same(relu: bool) -> None:
    kinds = set()
    for parameters, weights, inputs, expected in cases("conv"):
        fast = fast_conv(**arguments("conv", parameters, weights), relu=relu)
        kinds.add(type(fast))
        assert_close(fast(inputs), np.maximum(expected, 0) if relu else expected)
        assert fast(inputs[:0]).shape == (0, *expected.shape[1:])
    assert kinds == {FastConv, DepthwiseConv, GroupedConv}


@pytest.mark.parametrize(("count", "side"), [(1, 3), (40, 30), (9, 61), (1, 200)])
@pytest.mark.parametrize("channels", [1, 9])
def test_a_fast_convolution_in_several_pieces(count: int, side: int, channels: int) -> None:
    """Many small images at a time, or a few rows of a large one; the last piece is smaller."""
    random = np.random.default_rng(side)
    inputs = random.normal(size=(count, channels, side, side)).astype(np.float32)
    weight = random.normal(size=(7, channels, 3, 3)).astype(np.float32)
    rest: dict[str, Any] = {"stride": (1, 1), "padding": "same", "dilation": (1, 1), "groups": 1}
    bias = random.normal(size=7).astype(np.float32)
    expected = torch.conv2d(torch.from_numpy(inputs), torch.from_numpy(weight), torch.from_numpy(bias), 1, 1)
    assert (count * side * side * channels * 9 > PIECE) == (side > 3)
    for found in (
        fast_conv(weight=weight, bias=bias, **rest, relu=False)(inputs),
        conv(inputs, weight=weight, bias=bias, **rest),
    ):
        assert_close(found, expected.numpy())


# --- activations --------------------------------------------------------------------------------------------


def test_erf() -> None:
    inputs = np.linspace(-6, 6, 2001).astype(np.float32)
    expected = [math.erf(x) for x in inputs.tolist()]
    assert np.abs(activations.erf(inputs) - expected).max() < 1.6e-7


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["sigmoid", "silu", "tanh", "scaled_tanh", "gelu", "relu"])
def test_an_activation_bears_large_numbers(name: str) -> None:
    inputs = np.array([[-1e30, -200, -0.0, 0, 200, 1e30]], np.float32)
    expected = TORCH[name]((6,))(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(LAYERS[name](inputs), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_softmax(temperature: float) -> None:
    logits = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32) * 100
    expected = torch.softmax(torch.from_numpy(logits).double() / temperature, 1).numpy()
    np.testing.assert_allclose(activations.softmax(logits, temperature), expected, atol=1e-12)
