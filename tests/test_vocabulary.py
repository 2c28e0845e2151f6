"""Every layer: those that compute against torch and numbers by hand, combinators, auxiliary losses."""

import json
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from helpers.networks import network_of
from torch import Tensor, nn

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.cli.app import run
from cnn_cli.config.load import load_text
from cnn_cli.config.network import Item, vocabulary
from cnn_cli.data.preprocess import network_input
from cnn_cli.model.build import _Builder, initialize, measure
from cnn_cli.model.combinators import COMBINATORS
from cnn_cli.model.layers import LAYERS
from cnn_cli.model.modules import take_auxiliary_logits
from cnn_cli.model.summary import summarize

IMAGE = (4, 9, 11)


def chain(layers: list[Any], shape: tuple[int, ...] = IMAGE, classes: int = 10) -> nn.Sequential:
    """Build layers as a YAML has them, with weights; they need not end with logits."""
    items = [Item.model_validate(item) for item in layers]
    modules, _ = _Builder(classes).chain_at((), [(item.name, item.parameters) for item in items], shape)
    network = nn.Sequential(modules)
    initialize(network, 0)
    return network.eval()


def random(*shape: int, count: int = 3) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))


def image(rows: str) -> Tensor:
    """Return an image [1, 1, H, W] from lines of numbers."""
    return torch.tensor([[float(n) for n in line.split()] for line in rows.strip().splitlines()])[None, None]


# --- the list -----------------------------------------------------------------------------------------------


def test_config_and_model_have_the_same_layers() -> None:
    assert {*LAYERS, *COMBINATORS, "repeat"} == set(Item.model_fields) == set(vocabulary())


def test_cnn_layers_lists_every_layer_with_its_shape(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["layers", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [layer["name"] for layer in listed] == list(Item.model_fields)
    for layer in listed:
        assert layer["about"]
        assert layer["shape"]
        assert all(parameter["meaning"] for parameter in layer["parameters"])
        assert layer["main"] in [None, *(parameter["name"] for parameter in layer["parameters"])]
    assert run(["layers", "conv"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("conv: Convolution")
    assert "    stride = 1: Pixels from" in text
    assert "    kernel: Height" in text
    assert run(["layers", "covn"]) == 2


def test_the_documented_shapes_are_those_of_the_layers() -> None:
    """The two formulas of the documentation, against torch for many sizes."""
    for size in (5, 8, 13):
        for kernel, stride, padding, dilation in [(3, 1, 0, 1), (3, 2, 1, 1), (2, 3, 0, 2), (3, 2, 2, 2)]:
            conv = {"out": 2, "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
            expected = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            assert (
                chain([{"conv": conv}], (1, size, size))(random(1, size, size)).shape[2:] == (expected,) * 2
            )
            if dilation == 1 and 2 * padding <= kernel:
                pool = {"window": kernel, "stride": stride, "padding": padding}
                expected = (size + 2 * padding - kernel) // stride + 1
                assert (
                    chain([{"pool": pool}], (1, size, size))(random(1, size, size)).shape[2:]
                    == (expected,) * 2
                )


# --- leaves -------------------------------------------------------------------------------------------------


def scaled_lrn(x: Tensor) -> Tensor:
    """Krizhevsky et al. 2012, section 3.3, literally: k 2, n 5, alpha 1e-4 on a sum, beta 0.75."""
    channels = x.shape[1]
    rows = [
        x[:, i] / (2 + 1e-4 * x[:, max(0, i - 2) : min(channels - 1, i + 2) + 1].square().sum(1)) ** 0.75
        for i in range(channels)
    ]
    return torch.stack(rows, 1)


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ("leaky_relu", lambda x: torch.where(x > 0, x, 0.01 * x)),
        ({"leaky_relu": 0.2}, lambda x: torch.where(x > 0, x, 0.2 * x)),
        ("gelu", lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2),
        ("silu", lambda x: x / (1 + (-x).exp())),
        ("lrn", scaled_lrn),
        ("global_pool", lambda x: x.mean((2, 3), keepdim=True)),
        ({"global_pool": "max"}, lambda x: x.amax((2, 3), keepdim=True)),
        ({"global_pool": {"size": [3, 1]}}, lambda x: x.unflatten(2, (3, 3)).mean((3, 4)).unsqueeze(3)),
        (
            {"norm": "layer"},
            lambda x: (x - x.mean((1, 2, 3), True)) / (x.var((1, 2, 3), False, keepdim=True) + 1e-5).sqrt(),
        ),
        ({"norm": {"kind": "group", "groups": 2}}, lambda x: F.group_norm(x, 2)),
        ({"norm": {"eps": 0.5}}, lambda x: x / 1.5**0.5),  # statistics start at mean 0 and variance 1
        ({"pool": {"window": 3, "stride": 2, "ceil": True}}, lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)),
    ],
)
def test_leaves(layer: Any, function: Any) -> None:
    inputs = 3 * random(*IMAGE)
    torch.testing.assert_close(chain([layer])(inputs), function(inputs))


def test_a_group_depends_on_its_part_of_the_channels_only() -> None:
    network = chain([{"conv": {"out": 6, "kernel": 3, "groups": 2, "bias": False}}])
    assert network[0].weight.shape == (6, 2, 3, 3)
    inputs = random(*IMAGE)
    changed = inputs.clone()
    changed[:, 2:] = 0
    before, after = network(inputs), network(changed)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])


def test_a_dilated_kernel_by_hand() -> None:
    network = chain([{"conv": {"out": 1, "kernel": 2, "dilation": 2, "bias": False}}], (1, 4, 4))
    network[0].weight.data = image("1 0\n0 10")
    numbers = torch.arange(16.0).view(1, 1, 4, 4)  # rows 0-3, 4-7, ...
    assert torch.equal(network(numbers), image("100 111\n144 155"))  # a + 10 b, b two rows down and two right


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_keeps_the_size_of_a_dilated_kernel(dilation: int) -> None:
    conv = {"out": 5, "kernel": 3, "padding": "same", "dilation": dilation}
    assert chain([{"conv": conv}])(random(*IMAGE)).shape == (3, 5, 9, 11)


# --- known results, by hand ---------------------------------------------------------------------------------

FIVE = image("1 1 1 0 0\n0 1 1 1 0\n0 0 1 1 1\n0 0 1 1 0\n0 1 1 0 0")
CROSS = image("1 0 1\n0 1 0\n1 0 1")
COUNTING = torch.arange(25.0).view(1, 1, 5, 5)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "4 3 4\n2 4 3\n2 3 4"),  # nine positions at stride 1
        ({"stride": 2}, "4 4\n2 4"),
        ({"padding": "same"}, "2 2 3 1 1\n1 4 3 4 1\n1 2 4 3 3\n1 2 3 4 1\n0 2 2 1 1"),
    ],
)
def test_the_convolution_of_the_lectures(parameters: dict[str, Any], expected: str) -> None:
    network = chain([{"conv": {"out": 1, "kernel": 3} | parameters}], (1, 5, 5))
    network[0].weight.data, network[0].bias.data = CROSS, torch.zeros(1)
    assert torch.equal(network(FIVE), image(expected))
    row = summarize(network, (1, 5, 5)).layers[0]
    assert row.output_shape == (1, *image(expected).shape[2:])
    assert row.multiply_adds == 9 * image(expected).numel()


def test_the_channels_of_rgb_are_summed_and_the_bias_is_added_once() -> None:
    network = chain([{"conv": {"out": 1, "kernel": 3}}], (3, 5, 5))
    network[0].weight.data, network[0].bias.data = CROSS.repeat(1, 3, 1, 1), torch.tensor([0.5])
    result = network(torch.cat([FIVE, 10 * FIVE, 100 * FIVE], 1))
    assert torch.equal(result, 111 * image("4 3 4\n2 4 3\n2 3 4") + 0.5)
    assert summarize(network, (3, 5, 5)).parameters == 3 * 9 + 1


@pytest.mark.parametrize(
    ("kind", "expected"), [("max", "12 13 14\n17 18 19\n22 23 24"), ("avg", "6 7 8\n11 12 13\n16 17 18")]
)
def test_pooling_3x3_at_stride_1(kind: str, expected: str) -> None:
    network = chain([{"pool": {"window": 3, "kind": kind, "stride": 1}}], (1, 5, 5))
    assert torch.equal(network(COUNTING), image(expected))


def test_a_3x3_image_flattens_to_9_numbers() -> None:
    network = chain(["flatten"], (1, 3, 3))
    assert network(torch.arange(9.0).view(1, 1, 3, 3)).tolist() == [[0, 1, 2, 3, 4, 5, 6, 7, 8]]
    assert summarize(network, (1, 3, 3)).layers[0].output_shape == (9,)


def test_softmax_of_the_logits_sums_to_1() -> None:
    logits = chain([{"conv": {"out": 2, "kernel": 3}}, "flatten", {"linear": "classes"}])(random(*IMAGE))
    assert logits.shape == (3, 10)
    probabilities = torch.softmax(logits.double(), 1)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(3, dtype=torch.float64))


def test_a_gray_image_is_repeated_in_three_channels() -> None:
    images = torch.randint(
        0, 256, (2, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    one, three = (
        network_input(images, Preprocessing(32, (0.1,) * channels, (0.3,) * channels)) for channels in (1, 3)
    )
    assert three.shape == (2, 3, 32, 32)
    assert all(torch.equal(three[:, channel : channel + 1], one) for channel in range(3))


# --- combinators --------------------------------------------------------------------------------------------


def test_a_residual_adds_its_input() -> None:
    network = chain([{"residual": [{"conv": {"out": 4, "kernel": 3, "padding": "same"}}, "tanh"]}])
    inputs = random(*IMAGE)
    torch.testing.assert_close(network(inputs), torch.tanh(network[0][0](inputs)) + inputs)
    assert [name for name, _ in network.named_parameters()] == [
        "residual1.conv1.weight",
        "residual1.conv1.bias",
    ]


@pytest.mark.parametrize(("stride", "size"), [(1, (9, 11)), (2, (5, 6)), ([1, 3], (9, 4))])
def test_a_residual_of_another_shape_is_projected(stride: Any, size: tuple[int, int]) -> None:
    """Option B of He et al. 2015: a 1x1 convolution with the stride that fits, then batch normalization."""
    conv = {"out": 6, "kernel": 3, "stride": stride, "padding": "same"}
    network = chain([{"residual": [{"conv": conv}]}])
    inputs = random(*IMAGE)
    result = network(inputs)
    assert result.shape == (3, 6, *size)
    project = network[0].shortcut
    assert list(dict(project.named_children())) == ["conv1", "norm1"]
    assert project[0].kernel_size == (1, 1)
    assert project[0].bias is None
    expected = F.conv2d(inputs, project[0].weight, stride=stride) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(result - network[0][0](inputs), expected, atol=1e-5, rtol=1e-5)


def test_a_residual_of_vectors_is_projected_by_a_matrix() -> None:
    network = chain([{"residual": [{"linear": 5}, "relu"]}], (7,))
    inputs = random(7)
    expected = network[0][0](inputs).relu() + inputs @ network[0].shortcut[0].weight.T / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(network(inputs), expected)


def test_a_shortcut_may_have_layers() -> None:
    layers = [{"conv": {"out": 4, "kernel": 3, "stride": 2, "padding": 1}}]
    network = chain([{"residual": {"layers": layers, "shortcut": [{"pool": {"window": 1, "stride": 2}}]}}])
    inputs = random(*IMAGE)
    torch.testing.assert_close(network(inputs), network[0][0](inputs) + inputs[:, :, ::2, ::2])


def test_branches_are_joined_in_their_order_and_an_empty_one_is_the_input() -> None:
    network = chain([{"parallel": [["relu"], [], [{"conv": {"out": 2, "kernel": 1}}, "tanh"]]}])
    inputs = random(*IMAGE)
    expected = torch.cat([inputs.relu(), inputs, network[0].branch3(inputs)], 1)
    assert torch.equal(network(inputs), expected)
    assert measure(network, IMAGE) == (10, 9, 11)
    assert next(iter(network.state_dict())) == "parallel1.branch3.conv1.weight"


def test_branches_of_vectors_are_joined_too() -> None:
    assert measure(chain([{"parallel": [[{"linear": 5}], []]}], (7,)), (7,)) == (12,)


def test_repeated_layers_have_separate_weights() -> None:
    conv = {"conv": {"out": 4, "kernel": 3, "padding": "same"}}
    network = chain([conv, {"repeat": {"times": 2, "layers": [conv, "relu"]}}, conv])
    assert [name for name, _ in network.named_children()] == [
        "conv1",
        "conv2",
        "relu1",
        "conv3",
        "relu2",
        "conv4",
    ]
    weights = [module.weight for module in network if isinstance(module, nn.Conv2d)]
    assert len({weight.data_ptr() for weight in weights}) == 4


def test_names_stay_unique_if_a_block_ends_with_a_digit() -> None:
    def block(name: str) -> Any:
        return {"block": {"name": name, "layers": ["relu"]}}

    network = chain([block("a1"), *[block("a")] * 11])
    names = [name for name, _ in network.named_children()]
    assert len(network) == len(set(names)) == 12
    assert names[:3] == ["a11", "a1", "a2"]
    assert names[-1] == "a12"


# --- auxiliary classifiers ----------------------------------------------------------------------------------

AUXILIARY = {"auxiliary": {"weight": 0.25, "layers": ["flatten", {"linear": "classes"}]}}


def test_an_auxiliary_classifier_runs_in_training_only_and_does_not_change_the_output() -> None:
    network, inputs = chain([AUXILIARY, "relu"]), random(*IMAGE)
    assert torch.equal(network(inputs), inputs.relu())
    assert not list(take_auxiliary_logits(network))
    assert torch.equal(network.train()(inputs), inputs.relu())
    [(weight, logits)] = take_auxiliary_logits(network)
    assert weight == 0.25
    assert torch.equal(logits, network[0][1](inputs.flatten(1)))
    assert not list(take_auxiliary_logits(network))  # they were taken


def test_an_auxiliary_classifier_counts_in_parameters_but_not_in_multiply_adds() -> None:
    network = chain([AUXILIARY, {"conv": {"out": 1, "kernel": 3}}])
    found = summarize(network, IMAGE)
    assert found.auxiliary_parameters == 4 * 9 * 11 * 10 + 10
    assert found.parameters == found.auxiliary_parameters + 4 * 9 + 1
    assert found.multiply_adds == found.layers[1].multiply_adds == 7 * 9 * 4 * 9
    assert found.layers[0].layers[1].multiply_adds == 4 * 9 * 11 * 10  # its cost in training


def test_the_training_loss_adds_the_auxiliary_losses() -> None:
    """The loop's loss and its gradients, against the sum written out."""
    from cnn_cli.config.schema import Augmentation, Train
    from cnn_cli.data.outliers.pool import OutlierPool
    from cnn_cli.data.source import LabeledImages
    from cnn_cli.training.datasets import TrainingData
    from cnn_cli.training.device import Compute
    from cnn_cli.training.loop import TrainingLoop

    network = chain(
        [AUXILIARY, {"conv": {"out": 2, "kernel": 3}}, "flatten", {"linear": 3}], (1, 8, 8), classes=3
    )
    draws = torch.Generator().manual_seed(0)
    images = LabeledImages(
        torch.randint(0, 256, (6, 1, 8, 8), dtype=torch.uint8, generator=draws), torch.arange(6) % 3
    )
    preprocessing = Preprocessing(8, (0.5,), (0.5,))
    validation = LabeledImages(images.store[:0], images.labels[:0])
    data = TrainingData(images, validation, Augmentation(), OutlierPool.empty())
    settings = Train(label_smoothing=0.1)
    loop = TrainingLoop(network, data, preprocessing, settings, 0, Compute(torch.device("cpu"), "float32", 1))
    loop.frozen.train()
    (batch,) = loop._batches(torch.arange(6), torch.arange(0), draws, 6)
    loss = loop.stepper._loss(batch)
    loss.backward()

    inputs = network_input(images.store, preprocessing)
    logits, (head, *_) = network.eval()(inputs), network
    expected = F.cross_entropy(logits, images.labels, label_smoothing=0.1)
    beside = F.cross_entropy(head[1](inputs.flatten(1)), images.labels, label_smoothing=0.1)
    torch.testing.assert_close(loss, expected + 0.25 * beside)
    (gradient,) = torch.autograd.grad(beside, [head[1].weight])
    torch.testing.assert_close(head[1].weight.grad, 0.25 * gradient)


# --- the summary --------------------------------------------------------------------------------------------


def test_receptive_fields_take_the_largest_branch() -> None:
    """Checked with gradients: the pixels that change the number in the middle."""
    layers: list[Any] = [
        {"conv": {"out": 2, "kernel": 3, "padding": "same"}},
        {"parallel": [[{"conv": {"out": 1, "kernel": 3, "padding": "same", "dilation": 3}}], []]},
        {"residual": [{"conv": {"out": 3, "kernel": 5, "padding": "same"}}]},
        {"pool": {"window": 3, "kind": "avg", "stride": 1, "padding": 1}},
    ]
    network = chain(layers, (1, 31, 31))
    rows = summarize(network, (1, 31, 31)).layers
    assert [row.receptive_field[0] for row in rows if row.receptive_field] == [3, 9, 13, 15]
    assert [row.name for row in rows[1].layers] == ["branch1", "branch2"]
    inputs = random(1, 31, 31, count=1).requires_grad_()
    for count, row in enumerate(rows, 1):
        (gradient,) = torch.autograd.grad(network[:count](inputs)[0, :, 15, 15].sum(), inputs)
        columns = gradient[0, 0].abs().sum(0).nonzero().flatten()
        assert columns.max() - columns.min() + 1 == row.receptive_field[0]


def test_a_row_contains_the_figures_of_the_rows_inside() -> None:
    conv = {"conv": {"out": 8, "kernel": 3, "stride": 2, "padding": "same"}}
    (row,) = summarize(chain([{"residual": [conv, "relu"]}]), IMAGE).layers
    assert [inner.name for inner in row.layers] == ["conv1", "relu1", "shortcut"]
    assert row.parameters == sum(inner.parameters for inner in row.layers) == (36 + 1) * 8 + 4 * 8 + 16
    assert row.multiply_adds == sum(inner.multiply_adds for inner in row.layers) == 30 * 8 * (36 + 4)


def test_grouped_convolutions_have_fewer_multiply_adds() -> None:
    conv = {"out": 8, "kernel": 3, "padding": "same"}
    plain, grouped = (
        summarize(chain([{"conv": conv | {"groups": groups}}]), IMAGE).multiply_adds for groups in (1, 4)
    )
    assert plain == 4 * grouped


# --- classes ------------------------------------------------------------------------------------------------


def test_classes_come_from_the_data_or_from_the_model() -> None:
    text = "model: {layers: [flatten, linear: classes]}"
    config = load_text(text, "a.yaml").config
    assert network_of(config)[-1].out_features == 10
    config = load_text(text.replace("layers", "classes: 7, layers"), "a.yaml").config
    assert network_of(config)[-1].out_features == 7


@pytest.mark.parametrize("channels", [1, 3, 8])
@pytest.mark.parametrize("size", [1, 2, 4, 5, 9])
def test_local_response_normalization_equals_torch(channels: int, size: int) -> None:
    from cnn_cli.model.modules import LocalResponseNorm

    draws = torch.Generator().manual_seed(0)
    ours = (3 * torch.randn(2, channels, 4, 5, generator=draws)).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    found = LocalResponseNorm(size, 0.3, 0.6, 1.5)(ours)
    expected = torch.nn.LocalResponseNorm(size, 0.3, 0.6, 1.5)(theirs)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found.square().sum(), ours), torch.autograd.grad(expected.square().sum(), theirs)
    )
