"""Building a network: measured shapes, initial weights, and errors with their places."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

from cnn_cli.config.load import load_config
from cnn_cli.errors import NetworkError
from cnn_cli.model.build import LayerSpec, build_network, initialize, measure
from cnn_cli.model.modules import NORMALIZATION
from cnn_cli.model.network import network_for
from cnn_cli.model.shapes import LayerError

INPUT = (1, 28, 28)


def conv(out: int, side: int, **changes) -> LayerSpec:
    defaults = {
        "kernel": (side, side),
        "stride": (1, 1),
        "padding": "valid",
        "dilation": (1, 1),
        "groups": 1,
        "bias": True,
    }
    return "conv", {"out": out} | defaults | changes


def pool(window: int, **changes) -> LayerSpec:
    return "pool", {
        "window": (window, window),
        "kind": "max",
        "stride": None,
        "padding": (0, 0),
        "ceil": False,
    } | changes


def linear(out: int) -> LayerSpec:
    return "linear", {"out": out, "bias": True}


def bare(name: str) -> LayerSpec:
    return name, {}


LENET = [
    *(conv(6, 5, padding="same"), bare("relu"), pool(2)),
    *(conv(16, 5), bare("relu"), pool(2)),
    *(bare("flatten"), linear(120), bare("relu"), linear(84), bare("relu"), linear(10)),
]

EVERY_LAYER = [
    *(
        conv(4, 3),
        ("norm", {"kind": "batch", "groups": 32, "eps": 1e-5}),
        bare("scaled_tanh"),
        pool(2, kind="avg"),
        bare("affine"),
    ),
    *(conv(6, 3, bias=False), bare("tanh"), pool(3, stride=(2, 2)), bare("sigmoid"), bare("flatten")),
    *(
        linear(20),
        ("norm", {"kind": "batch", "groups": 32, "eps": 1e-5}),
        bare("relu"),
        ("dropout", {"p": 0.5}),
        linear(10),
    ),
]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def weights(layers: list[LayerSpec], seed: int) -> dict[str, torch.Tensor]:
    network = build_network(layers, INPUT, 10)
    initialize(network, seed)
    return network.state_dict()


def equal(ours: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours.values(), others.values(), strict=True))


# --- what is built ------------------------------------------------------------------------------------------


def test_lenet_5_has_the_parameters_of_the_paper():
    """LeCun et al. 1998 with full connection between the maps: 156 + 2,416 + 48,120 + 10,164 + 850."""
    network = build_network(LENET, INPUT, 10)
    assert count(network) == 61_706
    counts = [count(module) for module in network]
    assert [number for number in counts if number] == [156, 2_416, 48_120, 10_164, 850]


def test_the_shipped_lenet_has_no_more_except_for_normalization():
    network = network_for(load_config("lenet").config, 10)
    normalizing = sum(count(module) for module in network.modules() if isinstance(module, NORMALIZATION))
    assert count(network) - normalizing <= 61_706


def test_the_shipped_lenet_of_1998_adds_the_coefficients_of_its_pooling():
    """A coefficient and a bias for each of the 6 + 16 maps of S2 and S4."""
    assert count(network_for(load_config("lenet-1998").config, 10)) == 61_706 + 2 * 22


def test_layers_are_named_by_kind_and_count():
    names = [name for name, _ in build_network(LENET, INPUT, 10).named_children()]
    assert names == [
        *("conv1", "relu1", "pool1", "conv2", "relu2", "pool2"),
        *("flatten1", "linear1", "relu3", "linear2", "relu4", "linear3"),
    ]


def test_the_shapes_after_each_layer():
    """The feature maps of the paper's figure 2."""
    shape, shapes = INPUT, {}
    for name, module in build_network(LENET, INPUT, 10).named_children():
        shapes[name] = shape = measure(module, shape)
    assert shapes["conv1"] == (6, 28, 28)
    assert shapes["pool1"] == (6, 14, 14)
    assert shapes["conv2"] == shapes["relu2"] == (16, 10, 10)
    assert shapes["pool2"] == (16, 5, 5)
    assert [shapes[f"linear{n}"] for n in (1, 2, 3)] == [(120,), (84,), (10,)]


@pytest.mark.parametrize("layers", [LENET, EVERY_LAYER])
def test_the_measured_shapes_are_those_of_a_real_batch(layers):
    network = build_network(layers, INPUT, 10)
    initialize(network, 0)
    outputs, shape = torch.rand(3, *INPUT), INPUT
    for module in network:
        outputs, shape = module(outputs), measure(module, shape)
        assert outputs.shape == (3, *shape)


def test_rectangles():
    layers = [conv(2, 3, kernel=(3, 5), stride=(2, 1)), bare("flatten"), linear(4)]
    network = build_network(layers, (3, 9, 12), 4)
    assert measure(network[0], (3, 9, 12)) == (2, 4, 8)
    assert network.linear1.in_features == 64


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "path", "problem"),
    [
        ([conv(6, 5), linear(10)], (1, "linear"), "needs a vector, but its input is 6x24x24"),
        ([conv(6, 29)], (0, "conv"), "a 29x29 window does not fit the 1x28x28 input"),
        ([pool(14), conv(6, 2), pool(2)], (2, "pool"), "a 2x2 window does not fit the 6x1x1 input"),
        ([bare("flatten"), conv(6, 5)], (1, "conv"), "needs an image but its input is a vector of 784"),
        ([bare("relu"), bare("flatten"), bare("flatten")], (2, "flatten"), "needs an image"),
        ([pool(2, padding=(2, 2))], (0, "pool"), "padding 2x2 is more than half of the 2x2 window"),
        ([conv(6, 4, stride=(2, 2), padding="same")], (0, "conv"), "needs an odd kernel, not 4x4"),
        ([bare("flatten"), linear(9)], (1, "linear"), "ends with 9, but the data has 10 classes"),
        ([bare("flatten"), linear(9)], (1, "linear"), "end with `linear: classes`"),
        ([conv(10, 28)], (0, "conv"), "ends with 10x1x1, but the data has 10 classes"),
        (
            [bare("flatten"), linear(65_536), linear(65_536)],
            (2, "linear"),
            "weights up to here (17.4 GB as float32), more",
        ),
        (
            [conv(65_536, 1, padding=(100, 100))],
            (0, "conv"),
            "3,406,823,424 activations up to here (13.6 GB as float32), more than",
        ),
        ([conv(65_536, 1024, padding="same")], (0, "conv"), "more than the limit of 1,073,741,824 (4.3 GB)"),
    ],
)
def test_a_layer_that_does_not_fit_is_an_error_with_its_place(layers, path, problem):
    with pytest.raises(NetworkError) as caught:
        build_network(layers, INPUT, 10)
    index, name = path
    assert caught.value.path == ("model", "layers", index, name)
    assert problem in caught.value.problem
    assert caught.value.message == f"model.layers[{index}].{name}: {caught.value.problem}"
    assert "\n" not in caught.value.message
    assert caught.value.code == 2


def test_an_error_of_torch_becomes_a_layer_error():
    with pytest.raises(LayerError, match=r"does not fit the 3x8x8 input: .*channels"):
        measure(nn.Conv2d(4, 1, 3), (3, 8, 8))


# --- measuring ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_measuring_does_not_change_the_network(training):
    module = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5)).train(training)
    before = copy.deepcopy(module.state_dict())
    measure(module, (3, 8, 8))
    assert module.training == training
    assert all(child.training == training for child in module)
    assert equal(module.state_dict(), before)


def test_the_mode_is_restored_after_an_error():
    module = nn.Conv2d(4, 1, 3).train()
    with pytest.raises(LayerError):
        measure(module, (3, 8, 8))
    assert module.training


# --- the initial weights ------------------------------------------------------------------------------------


def test_the_seed_decides_the_bits():
    assert equal(weights(EVERY_LAYER, 7), weights(EVERY_LAYER, 7))
    ours, others = weights(EVERY_LAYER, 7), weights(EVERY_LAYER, 8)
    assert not torch.equal(ours["conv1.weight"], others["conv1.weight"])
    assert not torch.equal(ours["linear2.bias"], others["linear2.bias"])


def test_the_global_generator_is_not_changed():
    torch.manual_seed(3)
    expected = torch.rand(5)
    torch.manual_seed(3)
    weights(EVERY_LAYER, 7)
    assert torch.equal(torch.rand(5), expected)


def test_the_weights_are_those_that_torch_draws():
    with torch.random.fork_rng():
        torch.manual_seed(7)
        expected = nn.Sequential(
            *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
        )
    network = build_network(LENET, INPUT, 10)
    initialize(network, 7)
    assert equal(network.state_dict(), expected.state_dict())
    inputs = torch.rand(2, *INPUT)
    torch.testing.assert_close(network(inputs), expected(inputs))


def test_normalization_has_the_initial_values_of_torch():
    state = weights(EVERY_LAYER, 7)
    ours = {name.removeprefix("norm1."): value for name, value in state.items() if name.startswith("norm1.")}
    expected = nn.BatchNorm2d(4).state_dict()
    assert list(ours) == list(expected)
    assert equal(ours, expected)
    assert [value.dtype for value in ours.values()] == [value.dtype for value in expected.values()]


def test_weights_are_trainable_float32_on_the_cpu():
    for parameter in build_network(EVERY_LAYER, INPUT, 10).parameters():
        assert parameter.device.type == "cpu"
        assert parameter.dtype == torch.float32
        assert parameter.requires_grad
        assert parameter.is_leaf


# --- cost ---------------------------------------------------------------------------------------------------

IN_A_FRESH_PROCESS = """
import sys, resource
from cnn_cli.model.build import build_network
def peak():  # megabytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
before = peak()
layers = [("flatten", {}), ("linear", {"out": 4096, "bias": True}), ("linear", {"out": 10, "bias": True})]
network = build_network(layers, (512, 7, 7), 10)  # VGG's first linear layer: 25,088 x 4,096 numbers, 411 MB
assert network.linear1.weight.shape == (4096, 25088)
print(peak() - before)
print([name for name in ("sympy", "torch._dynamo", "torchvision", "pydantic") if name in sys.modules])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no module resource")
def test_building_uses_little_memory_and_imports_no_compiler():
    done = subprocess.run([sys.executable, "-c", IN_A_FRESH_PROCESS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    megabytes, imported = done.stdout.splitlines()
    assert float(megabytes) < 100
    assert imported == "[]"
