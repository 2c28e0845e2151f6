"""Every layer compared with torch's functions, and with numbers computed by hand."""

import inspect
import itertools
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnn_cli.config.layers import Layer
from cnn_cli.config.network import Item
from cnn_cli.model.build import initialize
from cnn_cli.model.combinators import COMBINATORS
from cnn_cli.model.layers import LAYERS
from cnn_cli.model.shapes import LayerError, describe

IMAGE = (3, 8, 10)

CONV = {
    "out": 5,
    "kernel": (3, 3),
    "stride": (1, 1),
    "padding": "valid",
    "dilation": (1, 1),
    "groups": 1,
    "bias": True,
}
POOL = {"window": (2, 2), "kind": "max", "stride": None, "padding": (0, 0), "ceil": False}


def layer(name: str, shape: tuple[int, ...], **parameters) -> nn.Module:
    module = LAYERS[name](shape, **parameters)
    initialize(module, 0)
    return module


def random(*shape: int) -> torch.Tensor:
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))


def image(rows: str) -> torch.Tensor:
    """An image [1, 1, H, W] from lines of numbers."""
    return torch.tensor([[float(n) for n in line.split()] for line in rows.strip().splitlines()])[None, None]


def by_hand(kernel: torch.Tensor, bias: float = 0.0, **changes) -> nn.Module:
    """Return a convolution to one channel with the given kernel [1, C, kH, kW]."""
    size = tuple(kernel.shape[2:])
    module = LAYERS["conv"]((kernel.shape[1], 5, 5), **(CONV | {"out": 1, "kernel": size} | changes))
    module.weight.data, module.bias.data = kernel, torch.tensor([bias])
    return module


# An image and a kernel that are common in lectures on convolutions.
FIVE = image("""
    1 1 1 0 0
    0 1 1 1 0
    0 0 1 1 1
    0 0 1 1 0
    0 1 1 0 0
""")
CROSS = image("""
    1 0 1
    0 1 0
    1 0 1
""")


# --- the vocabulary -----------------------------------------------------------------------------------------


def test_config_and_model_have_the_same_layers():
    assert {*LAYERS, *COMBINATORS, "repeat"} == set(Item.model_fields)


@pytest.mark.parametrize("name", LAYERS)
def test_the_function_of_a_layer_has_the_parameters_of_the_config(name):
    annotation = Item.model_fields[name].annotation
    declared = next(kind for kind in get_args(annotation) if issubclass(kind, Layer))
    shape, *parameters = inspect.signature(LAYERS[name]).parameters.values()
    assert shape.name == "shape"
    assert {parameter.name for parameter in parameters} == set(declared.model_fields)
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)
    assert all(
        parameter.default is parameter.empty for parameter in parameters
    )  # defaults are only in the config


# --- compared with torch ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("padding", ["valid", (2, 1), (0, 0)])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 5)])
def test_conv(kernel, padding, stride, bias):
    module = layer(
        "conv", IMAGE, **(CONV | {"kernel": kernel, "stride": stride, "padding": padding, "bias": bias})
    )
    inputs = random(*IMAGE)
    expected = F.conv2d(inputs, module.weight, module.bias, stride, 0 if padding == "valid" else padding)
    assert module.weight.shape == (5, 3, *kernel)
    assert (module.bias is not None) == bias
    torch.testing.assert_close(module(inputs), expected)


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize("kernel", list(itertools.product(range(1, 8), [1, 4, 5])))
def test_same_padding_with_stride_1_is_that_of_torch(kernel):
    module = layer("conv", IMAGE, **(CONV | {"kernel": kernel, "padding": "same"}))
    inputs = random(*IMAGE)
    expected = F.conv2d(inputs, module.weight, module.bias, padding="same")
    assert module(inputs).shape == (4, 5, 8, 10)
    torch.testing.assert_close(module(inputs), expected)


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("size", [7, 8, 9])
def test_same_padding_with_stride_gives_the_quotient_rounded_up(size, stride, kernel):
    changes = {"kernel": (kernel, kernel), "stride": (stride, stride), "padding": "same"}
    module = layer("conv", (3, size, size), **(CONV | changes))
    rounded_up = -(-size // stride)
    assert module(random(3, size, size)).shape == (4, 5, rounded_up, rounded_up)


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize(
    ("window", "stride", "padding"),
    [((2, 2), None, (0, 0)), ((3, 2), (1, 2), (1, 0)), ((3, 3), (1, 1), (1, 1)), ((8, 10), None, (0, 0))],
)
def test_pool(kind, window, stride, padding):
    function = {"max": F.max_pool2d, "avg": F.avg_pool2d}[kind]
    inputs = random(*IMAGE)
    module = layer("pool", IMAGE, window=window, kind=kind, stride=stride, padding=padding, ceil=False)
    torch.testing.assert_close(module(inputs), function(inputs, window, stride or window, padding))


@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias):
    module, inputs = layer("linear", (7,), out=5, bias=bias), random(7)
    torch.testing.assert_close(module(inputs), F.linear(inputs, module.weight, module.bias))
    assert (module.bias is not None) == bias


@pytest.mark.parametrize("shape", [IMAGE, (7,)])
def test_norm_in_training_and_evaluation(shape):
    module, inputs = layer("norm", shape, kind="batch", groups=32, eps=1e-5), random(*shape) * 3 + 2
    mean, variance = torch.zeros(shape[0]), torch.ones(shape[0])
    torch.testing.assert_close(module(inputs), F.batch_norm(inputs, mean, variance, training=True))
    module.eval()  # torch's function has moved `mean` and `variance` to the batch's, by a tenth
    torch.testing.assert_close(module(inputs), F.batch_norm(inputs, mean, variance))


@pytest.mark.parametrize("p", [0.0, 0.1, 0.4, 0.5, 0.999999])
def test_dropout_drops_and_scales_like_torch(p):
    ones = torch.ones(200, 500)
    torch.manual_seed(5)
    ours, theirs = layer("dropout", IMAGE, p=p)(ones), F.dropout(ones, p)
    deviation = (p * (1 - p) / ones.numel()) ** 0.5
    for dropped in (ours, theirs):
        assert abs((dropped == 0).double().mean() - p) <= 4 * deviation + 2 / 2**16
    kept = ours[ours != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)))


def test_dropout_draws_are_independent():
    torch.manual_seed(5)
    kept = (layer("dropout", IMAGE, p=0.4)(torch.ones(400_000)) != 0).double()
    for distance in (1, 2, 3, 4, 8):  # four numbers share a draw
        both = (kept[:-distance] * kept[distance:]).mean()
        assert abs(both - 0.36) < 4 * (0.36 * 0.64 / len(kept)) ** 0.5


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_dropout_drops_the_same_gradients_in_any_layout(kind):
    module = layer("dropout", IMAGE, p=0.4)
    plain = torch.ones(4, 6, 10, 9, dtype=kind)
    for inputs in (
        plain,
        plain.to(memory_format=torch.channels_last),
        plain.transpose(0, 3),
        torch.ones(1, dtype=kind).expand(4, 7),
        plain[:, ::2],
        plain[:0],
    ):
        leaf = inputs.detach().requires_grad_()
        outputs = module(leaf)
        outputs.sum().backward()
        assert outputs.shape == inputs.shape
        assert outputs.dtype == kind
        assert outputs.stride() == torch.empty_like(inputs).stride()
        assert torch.equal(leaf.grad, outputs)  # the inputs were ones
        if inputs.numel() > 1000:
            assert 0.3 < (outputs == 0).float().mean() < 0.5


def test_dropout_repeats_with_the_seed_and_does_nothing_in_evaluation():
    module, inputs = layer("dropout", IMAGE, p=0.3), random(*IMAGE)
    torch.manual_seed(5)
    first, second = module(inputs), module(inputs)
    torch.manual_seed(5)
    assert torch.equal(module(inputs), first)
    assert not torch.equal(second, first)
    assert torch.equal(module.eval()(inputs), inputs)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", lambda x: x.clamp(min=0)),
        ("tanh", lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())),
        ("scaled_tanh", lambda x: 1.7159 * F.tanh(2 * x / 3)),
        ("sigmoid", lambda x: 1 / (1 + (-x).exp())),
        ("flatten", lambda x: x.reshape(len(x), -1)),
    ],
)
def test_layers_without_parameters(name, function):
    inputs = random(*IMAGE)
    module = layer(name, IMAGE)
    torch.testing.assert_close(module(inputs), function(inputs))
    assert not list(module.parameters())


def test_affine():
    module, inputs = layer("affine", IMAGE), random(*IMAGE)
    assert torch.equal(module(inputs), inputs)  # it starts as the identity
    module.coefficient.data, module.bias.data = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([3.0, 0.0, -1.0])
    expected = torch.stack([inputs[:, 0] + 3, -2 * inputs[:, 1], inputs[:, 2] / 2 - 1], 1)
    torch.testing.assert_close(module(inputs), expected)


# --- by hand ------------------------------------------------------------------------------------------------


def test_convolution_by_hand():
    expected = image("""
        4 3 4
        2 4 3
        2 3 4
    """)
    assert torch.equal(by_hand(CROSS)(FIVE), expected)


def test_stride_2_by_hand():
    assert torch.equal(by_hand(CROSS, stride=(2, 2))(FIVE), image("4 4\n2 4"))


def test_same_padding_by_hand():
    expected = image("""
        2 2 3 1 1
        1 4 3 4 1
        1 2 4 3 3
        1 2 3 4 1
        0 2 2 1 1
    """)
    assert torch.equal(by_hand(CROSS, padding="same")(FIVE), expected)


def test_the_kernel_is_not_flipped():
    """The layer is a cross-correlation, as in the papers and in torch."""
    corner = image("1 0 0\n0 0 0\n0 0 0")
    assert torch.equal(by_hand(corner)(FIVE), FIVE[:, :, :3, :3])


def test_channels_are_summed_and_the_bias_is_added_once():
    red, green, blue = FIVE, 10 * FIVE, 100 * FIVE
    module = by_hand(CROSS.repeat(1, 3, 1, 1), bias=0.5)
    expected = 111 * image("4 3 4\n2 4 3\n2 3 4") + 0.5
    assert torch.equal(module(torch.cat([red, green, blue], 1)), expected)


COUNTING = torch.arange(25.0).view(1, 1, 5, 5)


def test_pooling_by_hand():
    """With rows 0-4, 5-9 ..., the maximum of a 3x3 window is at its lower right, the mean at its center."""
    change = POOL | {"window": (3, 3), "stride": (1, 1)}
    largest = layer("pool", (1, 5, 5), **change)(COUNTING)
    average = layer("pool", (1, 5, 5), **(change | {"kind": "avg"}))(COUNTING)
    assert torch.equal(largest, image("12 13 14\n17 18 19\n22 23 24"))
    assert torch.equal(average, image("6 7 8\n11 12 13\n16 17 18"))


def test_without_a_stride_windows_lie_side_by_side_and_the_rest_is_ignored():
    assert torch.equal(layer("pool", (1, 5, 5), **POOL)(COUNTING), image("6 8\n16 18"))


def test_padding_counts_as_zeros_in_an_average():
    module = layer("pool", (1, 2, 2), **(POOL | {"kind": "avg", "padding": (1, 1)}))
    assert torch.equal(module(image("4 8\n12 16")), image("1 2\n3 4"))


def test_flatten_by_hand():
    numbers = torch.arange(9.0).view(1, 1, 3, 3)
    assert layer("flatten", (1, 3, 3))(numbers).tolist() == [[0, 1, 2, 3, 4, 5, 6, 7, 8]]


def test_scaled_tanh_keeps_plus_and_minus_one():
    """The property for which LeCun et al. 1998 chose its two numbers (appendix A)."""
    outputs = layer("scaled_tanh", (3,))(torch.tensor([[-1.0, 0.0, 1.0]]))
    torch.testing.assert_close(outputs, torch.tensor([[-1.0, 0.0, 1.0]]), atol=1e-4, rtol=0)


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape", "parameters", "message"),
    [
        ("conv", (84,), CONV, "needs an image but its input is a vector of 84"),
        ("pool", (84,), POOL, "needs an image but its input is a vector of 84"),
        ("affine", (84,), {}, "needs an image but its input is a vector of 84"),
        ("flatten", (84,), {}, "needs an image but its input is a vector of 84"),
        (
            "linear",
            (16, 5, 5),
            {"out": 9, "bias": True},
            "needs a vector, but its input is 16x5x5: put",
        ),
        ("conv", (1, 2, 9), CONV, "a 3x3 window does not fit the 1x2x9 input"),
        ("conv", (1, 9, 2), CONV, "a 3x3 window does not fit the 1x9x2 input"),
        (
            "conv",
            (1, 2, 9),
            CONV | {"kernel": (5, 5), "padding": (1, 1)},
            "5x5 window does not fit the 1x2x9",
        ),
        ("conv", (1, 2, 9), CONV | {"kernel": (5, 5), "padding": (1, 1)}, "1x2x9 input with padding 1x1"),
        ("pool", (16, 2, 2), POOL | {"window": (3, 3)}, "a 3x3 window does not fit the 16x2x2 input"),
        ("pool", IMAGE, POOL | {"padding": (2, 0)}, "padding 2x0 is more than half of the 2x2 window"),
        (
            "conv",
            IMAGE,
            CONV | {"kernel": (4, 3), "stride": (2, 2), "padding": "same"},
            "padding `same` with stride 2x2 needs an odd kernel, not 4x3",
        ),
    ],
)
def test_a_layer_that_does_not_fit_is_an_error_with_its_shapes(name, shape, parameters, message):
    with pytest.raises(LayerError) as caught:
        LAYERS[name](shape, **parameters)
    assert message in str(caught.value)


def test_a_window_as_large_as_the_padded_image_fits():
    module = layer("conv", (1, 3, 3), **(CONV | {"kernel": (5, 5), "padding": (1, 1)}))
    assert module(random(1, 3, 3)).shape == (4, 5, 1, 1)


def test_describe():
    assert describe((16, 5, 5)) == "16x5x5"
    assert describe((84,)) == "84"
