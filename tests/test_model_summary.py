"""The summary: LeNet-5 computed by hand, and receptive fields measured by changing every pixel."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnn_cli.model.build import LayerSpec, build_network, initialize
from cnn_cli.model.summary import count_parameters, summarize

LENET: list[LayerSpec] = [
    (
        "conv",
        {
            "out": 6,
            "kernel": (5, 5),
            "stride": (1, 1),
            "padding": "same",
            "dilation": (1, 1),
            "groups": 1,
            "bias": True,
        },
    ),
    ("norm", {"kind": "batch", "groups": 32, "eps": 1e-5}),
    ("relu", {}),
    ("pool", {"window": (2, 2), "kind": "max", "stride": None, "padding": (0, 0), "ceil": False}),
    (
        "conv",
        {
            "out": 16,
            "kernel": (5, 5),
            "stride": (1, 1),
            "padding": "valid",
            "dilation": (1, 1),
            "groups": 1,
            "bias": True,
        },
    ),
    ("relu", {}),
    ("pool", {"window": (2, 2), "kind": "avg", "stride": None, "padding": (0, 0), "ceil": False}),
    ("affine", {}),
    ("flatten", {}),
    ("linear", {"out": 120, "bias": True}),
    ("relu", {}),
    ("linear", {"out": 84, "bias": True}),
    ("norm", {"kind": "batch", "groups": 32, "eps": 1e-5}),
    ("linear", {"out": 10, "bias": True}),
]


@pytest.fixture(scope="module")
def lenet() -> nn.Sequential:
    return build_network(LENET, (1, 28, 28), 10)


@pytest.fixture(scope="module")
def rows(lenet) -> dict:
    return {row.name: row for row in summarize(lenet, (1, 28, 28)).layers}


def test_multiply_adds_of_lenet(rows):
    """Outputs times summands: 6x28x28 of 25, 16x10x10 of 150, then the matrices."""
    assert rows["conv1"].multiply_adds == 117_600
    assert rows["conv2"].multiply_adds == 240_000
    assert rows["affine1"].multiply_adds == 400
    assert [rows[f"linear{n}"].multiply_adds for n in (1, 2, 3)] == [48_000, 10_080, 840]
    assert all(rows[name].multiply_adds == 0 for name in ("norm1", "relu1", "pool1", "pool2", "flatten1"))


def test_multiply_adds_are_half_of_the_operations_that_torch_counts(lenet):
    initialize(lenet, 0)
    counter = FlopCounterMode(display=False)
    with counter:
        lenet.eval()(torch.rand(1, 1, 28, 28))
    affine = 400  # torch counts only convolutions and matrices
    assert summarize(lenet, (1, 28, 28)).multiply_adds - affine == counter.get_total_flops() / 2


def test_receptive_fields_of_lenet(rows):
    names = ("conv1", "norm1", "relu1", "pool1", "conv2", "pool2", "affine1", "flatten1")
    assert [rows[name].receptive_field for name in names] == [
        *((5, 5), (5, 5), (5, 5), (6, 6)),
        *((14, 14), (16, 16), (16, 16), (16, 16)),
    ]
    after = ("linear1", "relu3", "linear2", "norm2", "linear3")
    assert all(rows[name].receptive_field is None for name in after)


def test_parameters_of_lenet(lenet):
    summary = summarize(lenet, (1, 28, 28))
    assert summary.normalization_parameters == 2 * 6 + 2 * 84
    assert summary.parameters == 61_706 + 2 * 16 + summary.normalization_parameters  # affine: 16 pairs
    assert summary.parameters == sum(row.parameters for row in summary.layers)
    assert count_parameters(lenet) == sum(parameter.numel() for parameter in lenet.parameters())


def test_the_rows_describe_the_layers(rows):
    conv, pool, flat = rows["conv1"], rows["pool2"], rows["flatten1"]
    assert (conv.kernel, conv.stride, conv.padding) == ((5, 5), (1, 1), (2, 2))
    assert (pool.kernel, pool.stride, pool.padding) == ((2, 2), (2, 2), (0, 0))
    assert (flat.kernel, flat.stride, flat.padding) == (None, None, None)
    assert conv.output_shape == (6, 28, 28)
    assert flat.output_shape == (400,)


# --- receptive fields by brute force ------------------------------------------------------------------------


def conv(kernel, stride=(1, 1), padding="valid") -> LayerSpec:
    return "conv", {
        "out": 2,
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": (1, 1),
        "groups": 1,
        "bias": True,
    }


def pool(window, stride=None, padding=(0, 0), kind="max") -> LayerSpec:
    return "pool", {"window": window, "kind": kind, "stride": stride, "padding": padding, "ceil": False}


def extent(network: nn.Sequential, height: int, width: int) -> tuple[int, int]:
    """Return height and width of the largest region of pixels that one output number depends on.

    Each image of the batch has one NaN pixel; every output that depends on it is NaN.
    """
    images = torch.rand(height * width, 1, height * width, dtype=torch.float64)
    images[range(height * width), 0, range(height * width)] = torch.nan
    outputs = network.double().eval()(images.view(-1, 1, height, width))
    depends = outputs.isnan().flatten(1).T.view(-1, height, width)  # [outputs, H, W]
    rows, columns = (
        depends.any(2).sum(1),
        depends.any(1).sum(1),
    )  # no gaps: no stride exceeds its kernel
    return int(rows.max()), int(columns.max())


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize(
    "layers",
    [
        [conv((3, 3))],
        [conv((3, 5)), conv((2, 1))],
        [conv((3, 3), stride=(2, 2)), conv((3, 3))],
        [conv((3, 3)), pool((2, 2)), conv((3, 3)), pool((2, 2))],
        [pool((3, 2), stride=(2, 1)), ("relu", {}), conv((2, 3), stride=(1, 2)), pool((2, 2), kind="avg")],
        [
            conv((3, 3), padding="same"),
            pool((3, 3), (2, 2), (1, 1)),
            conv((3, 3), padding=(1, 1)),
        ],
        [
            conv((4, 2), padding="same"),
            ("norm", {"kind": "batch", "groups": 32, "eps": 1e-5}),
            conv((2, 4), padding="same"),
        ],
        [conv((5, 5), padding="same"), conv((5, 5), padding="same"), conv((5, 5), padding="same")],
        [conv((3, 3)), ("affine", {}), ("flatten", {})],
    ],
)
def test_the_receptive_field_is_where_a_nan_pixel_has_an_effect(layers):
    height, width = 11, 13
    tail: list[LayerSpec] = [] if layers[-1][0] == "flatten" else [("flatten", {})]
    trial = build_network([*layers, *tail, ("linear", {"out": 2, "bias": True})], (1, height, width), 2)
    initialize(trial, 0)
    summary = summarize(trial, (1, height, width))
    for index in range(len(layers)):
        found = extent(trial[: index + 1], height, width)
        assert summary.layers[index].receptive_field == found
