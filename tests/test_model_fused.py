"""Normalization, ReLU and pooling at once: what torch's three modules give, to rounding, with gradients."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_cli.model import fused
from cnn_cli.model.build import build_network, initialize
from cnn_cli.model.fused import Chain
from cnn_cli.model.modules import MaxPool, Modules

SHAPE = (5, 4, 12, 6)
WINDOWS = [(2, 2), (3, 2), (1, 3), (12, 6)]


def normalization() -> nn.BatchNorm2d:
    """With scales of both signs."""
    norm = nn.BatchNorm2d(4)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.5, -0.7, 0.4, -2.0]))
        norm.bias.copy_(torch.tensor([0.3, 0.5, 0.1, -0.2]))
        norm.running_mean.fill_(0.25)
    return norm


def figures(network: nn.Sequential, inputs: Tensor) -> dict[str, Tensor]:
    """Outputs, gradients and statistics of one training pass."""
    inputs = inputs.clone().requires_grad_()
    outputs = network.train()(inputs)
    weights = torch.arange(outputs.numel(), dtype=torch.float32).sin().view(outputs.shape)
    (outputs * weights).sum().backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {"outputs": outputs, "inputs": inputs.grad, **gradients, **dict(network.named_buffers())}


def both(pool: nn.MaxPool2d) -> tuple[Chain, nn.Sequential]:
    """The same three layers as a chain and as torch has them."""
    norm = normalization()
    ours = Chain(Modules(norm=norm, relu=nn.ReLU(), pool=pool))
    window, stride = pool.kernel_size, pool.stride
    torchs = nn.MaxPool2d(window, stride, pool.padding, ceil_mode=pool.ceil_mode)
    return ours, nn.Sequential(Modules(norm=copy.deepcopy(norm), relu=nn.ReLU(), pool=torchs))


@pytest.fixture
def fused_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The windows of the calls that take the quick way."""
    calls = []
    real = fused.norm_relu_pool
    monkeypatch.setattr(
        fused, "norm_relu_pool", lambda *given: calls.append(tuple(given[0].shape[:2])) or real(*given)
    )
    return calls


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_the_quick_way_is_torchs_to_rounding(
    window: tuple[int, int], offset: float, fused_calls: list[tuple[int, int]]
) -> None:
    ours, torchs = both(MaxPool(window, None, (0, 0), False))
    inputs = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)) * 3 + offset
    expected = figures(torchs, inputs)
    for name, found in figures(ours, inputs).items():
        torch.testing.assert_close(found, expected[name], rtol=2e-5, atol=2e-5, msg=name)
    assert fused_calls == [window]


def test_of_equal_maxima_the_first_has_the_gradient() -> None:
    """Blank paper is all ties: whole windows are equal after the convolution."""
    ours, torchs = both(MaxPool((2, 2), None, (0, 0), False))
    inputs = torch.randint(0, 3, SHAPE, generator=torch.Generator().manual_seed(1)).float()
    expected = figures(torchs, inputs)
    for name, found in figures(ours, inputs).items():
        torch.testing.assert_close(found, expected[name], rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("pool", "shape"),
    [
        (MaxPool((2, 2), None, (0, 0), False), (5, 4, 7, 6)),
        (MaxPool((3, 3), (2, 2), (0, 0), False), (5, 4, 9, 9)),
        (MaxPool((2, 2), None, (1, 1), False), (5, 4, 6, 6)),
    ],
)
def test_other_windows_go_torchs_way(
    pool: MaxPool, shape: tuple[int, ...], fused_calls: list[tuple[int, int]]
) -> None:
    """With a rest, overlapping, with a border."""
    ours, torchs = both(pool)
    inputs = torch.randn(shape)
    expected = figures(torchs, inputs)
    assert all(torch.equal(found, expected[name]) for name, found in figures(ours, inputs).items())
    assert not fused_calls


def test_evaluation_goes_torchs_way_with_the_same_bits(fused_calls: list[tuple[int, int]]) -> None:
    ours, torchs = both(MaxPool((2, 2), None, (0, 0), False))
    inputs = torch.randn(SHAPE)
    with torch.inference_mode():
        assert torch.equal(ours.eval()(inputs), torchs.eval()(inputs))
    assert not fused_calls


@pytest.mark.parametrize("window", WINDOWS)
def test_pooling_without_gradients_has_torchs_bits(window: tuple[int, int]) -> None:
    inputs = torch.randn(SHAPE)
    inputs[0, 0, 0, 0] = torch.nan
    pooled = MaxPool(window, None, (0, 0), False)(inputs)
    torch.testing.assert_close(pooled, F.max_pool2d(inputs, window), rtol=0, atol=0, equal_nan=True)


def test_channels_last_and_bfloat16_go_torchs_way(fused_calls: list[tuple[int, int]]) -> None:
    ours, torchs = both(MaxPool((2, 2), None, (0, 0), False))
    for inputs in (torch.randn(SHAPE).to(memory_format=torch.channels_last), torch.randn(SHAPE).bfloat16()):
        torch.testing.assert_close(ours(inputs), torchs(inputs), rtol=0, atol=0)
    assert not fused_calls


@pytest.mark.parametrize(
    ("conv", "by_corners"),
    [
        (nn.Conv2d(2, 3, 5, padding=2), True),
        (nn.Conv2d(2, 3, (5, 7), padding=(0, 1), bias=False), True),
        (nn.Conv2d(2, 3, 3, padding=1), False),
        (nn.Conv2d(2, 4, 5, padding=2, groups=2), False),
        (nn.Conv2d(2, 3, 5, stride=2, padding=2), False),
        (nn.Conv2d(2, 3, 5, padding="same"), False),
    ],
)
@pytest.mark.parametrize("window", [(2, 2), (4, 1)])
def test_a_convolution_of_images_gives_the_corners_of_the_windows(
    conv: nn.Conv2d, by_corners: bool, window: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = fused.conv_corners
    monkeypatch.setattr(fused, "conv_corners", lambda *given: calls.append(given[2]) or real(*given))
    pool = MaxPool(window, None, (0, 0), False)
    layers = Modules(
        conv=copy.deepcopy(conv), norm=nn.BatchNorm2d(conv.out_channels), relu=nn.ReLU(), pool=pool
    )
    ours, torchs = Chain(layers), copy.deepcopy(nn.Sequential(layers))
    images = torch.randn(3, 2, 16, 18, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(ours(images), torchs(images), rtol=1e-5, atol=1e-5)
    weights = torch.randn(ours(images).shape, generator=torch.Generator().manual_seed(4))
    for network in (ours, torchs):
        (network(images) * weights).sum().backward()
    for (name, one), other in zip(ours.named_parameters(), torchs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-4, msg=name)
    assert bool(calls) == by_corners


def test_a_built_network_takes_the_quick_way_and_keeps_torchs_names(
    fused_calls: list[tuple[int, int]],
) -> None:
    conv = {"out": 3, "kernel": (3, 3), "stride": (1, 1), "padding": "same"}
    conv |= {"dilation": (1, 1), "groups": 1, "bias": True}
    pool = {"window": (2, 2), "kind": "max", "stride": None, "padding": (0, 0), "ceil": False}
    norm = {"kind": "batch", "groups": 1, "eps": 1e-5}
    layers = [("conv", conv), ("norm", norm), ("relu", {}), ("pool", pool), ("flatten", {})]
    network = build_network([*layers, ("linear", {"out": 10, "bias": True})], (1, 8, 8), 10)
    initialize(network, 1)
    plain = nn.Sequential(Modules(copy.deepcopy(network).named_children()))
    assert list(network.state_dict()) == list(plain.state_dict())
    images = torch.randn(6, 1, 8, 8)
    expected = figures(plain, images)
    for name, found in figures(network, images).items():
        torch.testing.assert_close(found, expected[name], rtol=1e-5, atol=1e-5, msg=name)
    assert fused_calls == [(2, 2)]
