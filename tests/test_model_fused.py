"""Fused layers: equal to torch's modules to rounding, with gradients, hooks and names of all layers."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from cnn_cli.model import fused
from cnn_cli.model.build import build_network, initialize
from cnn_cli.model.fused import Chain, FusedConvNormReluPool
from cnn_cli.model.modules import MaxPool, Modules

SHAPE = (5, 4, 12, 6)
WINDOWS = [(2, 2), (3, 2), (1, 3), (12, 6)]


def normalization() -> nn.BatchNorm2d:
    """A normalization with scales of both signs."""
    norm = nn.BatchNorm2d(4)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.5, -0.7, 0.4, -2.0]))
        norm.bias.copy_(torch.tensor([0.3, 0.5, 0.1, -0.2]))
        norm.running_mean.fill_(0.25)
    return norm


def training_pass(network: nn.Sequential, inputs: Tensor) -> dict[str, Tensor]:
    """Return outputs, gradients and statistics of one training pass."""
    inputs = inputs.clone().requires_grad_()
    outputs = network.train()(inputs)
    weights = torch.arange(outputs.numel(), dtype=torch.float32).sin().view(outputs.shape)
    (outputs * weights).sum().backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {"outputs": outputs, "inputs": inputs.grad, **gradients, **dict(network.named_buffers())}


def both(pool: nn.MaxPool2d) -> tuple[Chain, nn.Sequential]:
    """Return the same three layers as a chain and as modules of torch."""
    norm = normalization()
    ours = Chain(Modules(norm=norm, relu=nn.ReLU(), pool=pool))
    window, stride = pool.kernel_size, pool.stride
    torch_pool = nn.MaxPool2d(window, stride, pool.padding, ceil_mode=pool.ceil_mode)
    return ours, nn.Sequential(Modules(norm=copy.deepcopy(norm), relu=nn.ReLU(), pool=torch_pool))


@pytest.fixture
def fused_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The windows of the calls that are fused."""
    calls = []
    real = fused.norm_relu_pool
    monkeypatch.setattr(
        fused,
        "norm_relu_pool",
        lambda places, norm: calls.append(tuple(places.shape[:2])) or real(places, norm),
    )
    return calls


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_fused_layers_equal_those_of_torch_to_rounding(
    window: tuple[int, int], offset: float, fused_calls: list[tuple[int, int]]
) -> None:
    ours, unfused = both(MaxPool(window, None, (0, 0), False))
    inputs = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)) * 3 + offset
    expected = training_pass(unfused, inputs)
    for name, value in training_pass(ours, inputs).items():
        torch.testing.assert_close(value, expected[name], rtol=2e-5, atol=2e-5, msg=name)
    assert fused_calls == [window]


def test_the_first_of_equal_maxima_has_the_gradient() -> None:
    """Over an empty background, whole windows are equal after the convolution."""
    ours, unfused = both(MaxPool((2, 2), None, (0, 0), False))
    inputs = torch.randint(0, 3, SHAPE, generator=torch.Generator().manual_seed(1)).float()
    expected = training_pass(unfused, inputs)
    for name, value in training_pass(ours, inputs).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("pool", "shape"),
    [
        (MaxPool((2, 2), None, (0, 0), False), (5, 4, 7, 6)),
        (MaxPool((3, 3), (2, 2), (0, 0), False), (5, 4, 9, 9)),
        (MaxPool((2, 2), None, (1, 1), False), (5, 4, 6, 6)),
    ],
)
def test_other_windows_are_not_fused(
    pool: MaxPool, shape: tuple[int, ...], fused_calls: list[tuple[int, int]]
) -> None:
    """Windows that do not tile the map, that overlap, and with padding."""
    ours, unfused = both(pool)
    inputs = torch.randn(shape)
    expected = training_pass(unfused, inputs)
    assert all(torch.equal(value, expected[name]) for name, value in training_pass(ours, inputs).items())
    assert not fused_calls


def test_evaluation_is_not_fused(fused_calls: list[tuple[int, int]]) -> None:
    ours, unfused = both(MaxPool((2, 2), None, (0, 0), False))
    inputs = torch.randn(SHAPE)
    with torch.inference_mode():
        assert torch.equal(ours.eval()(inputs), unfused.eval()(inputs))
    assert not fused_calls


@pytest.mark.parametrize("window", WINDOWS)
def test_pooling_without_gradients_equals_torch_exactly(window: tuple[int, int]) -> None:
    inputs = torch.randn(SHAPE)
    inputs[0, 0, 0, 0] = torch.nan
    pooled = MaxPool(window, None, (0, 0), False)(inputs)
    torch.testing.assert_close(pooled, F.max_pool2d(inputs, window), rtol=0, atol=0, equal_nan=True)


def test_channels_last_and_bfloat16_are_not_fused(fused_calls: list[tuple[int, int]]) -> None:
    ours, unfused = both(MaxPool((2, 2), None, (0, 0), False))
    for inputs in (torch.randn(SHAPE).to(memory_format=torch.channels_last), torch.randn(SHAPE).bfloat16()):
        torch.testing.assert_close(ours(inputs), unfused(inputs), rtol=0, atol=0)
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
def test_a_convolution_of_images_as_corners(
    conv: nn.Conv2d, by_corners: bool, window: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = fused.conv_corners
    monkeypatch.setattr(
        fused, "conv_corners", lambda *arguments: calls.append(arguments[2]) or real(*arguments)
    )
    pool = MaxPool(window, None, (0, 0), False)
    layers = Modules(
        conv=copy.deepcopy(conv), norm=nn.BatchNorm2d(conv.out_channels), relu=nn.ReLU(), pool=pool
    )
    ours, unfused = Chain(layers), copy.deepcopy(nn.Sequential(layers))
    images = torch.randn(3, 2, 16, 18, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(ours(images), unfused(images), rtol=1e-5, atol=1e-5)
    weights = torch.randn(ours(images).shape, generator=torch.Generator().manual_seed(4))
    for network in (ours, unfused):
        (network(images) * weights).sum().backward()
    for (name, one), other in zip(ours.named_parameters(), unfused.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-4, msg=name)
    assert bool(calls) == by_corners


def built_network() -> Chain:
    """A network whose first convolution can be fused, with weights."""
    conv = {"out": 3, "kernel": (5, 5), "stride": (1, 1), "padding": "same"}
    conv |= {"dilation": (1, 1), "groups": 1, "bias": True}
    pool = {"window": (2, 2), "kind": "max", "stride": None, "padding": (0, 0), "ceil": False}
    norm = {"kind": "batch", "groups": 1, "eps": 1e-5}
    stage = [("conv", conv), ("norm", norm), ("relu", {}), ("pool", pool)]
    layers = [*stage, *stage, ("flatten", {}), ("linear", {"out": 10, "bias": True})]
    network = build_network(layers, (1, 8, 8), 10)
    initialize(network, 1)
    return network


def unfused_copy(network: Chain) -> nn.Sequential:
    return nn.Sequential(Modules(copy.deepcopy(network).named_children()))


@pytest.mark.usefixtures("one_thread")
def test_a_built_network_is_fused_and_keeps_the_names_of_its_layers(
    fused_calls: list[tuple[int, int]],
) -> None:
    network = built_network()
    unfused, images = unfused_copy(network), torch.randn(6, 1, 8, 8)
    assert list(network.state_dict()) == list(unfused.state_dict())
    assert {"conv1.weight", "norm1.running_mean", "norm2.bias"} < set(network.state_dict())
    assert [name for name, _ in network.named_modules()] == [name for name, _ in unfused.named_modules()]
    assert [type(network[index]) for index in (0, 3)] == [nn.Conv2d, MaxPool]
    expected = training_pass(unfused, images)
    for name, value in training_pass(network, images).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-4, msg=name)
    assert fused_calls == [(2, 2)] * 2


def test_a_network_shows_its_fused_layers() -> None:
    network = built_network()
    assert [type(step) for step in network.steps[:2]] == [FusedConvNormReluPool] * 2
    assert network.steps[2:] == (network.flatten1, network.linear1)
    lines = str(network).splitlines()
    assert lines[1].strip() == "fused in training: conv1 + norm1 + relu1 + pool1"
    assert lines[2].strip() == "fused in training: conv2 + norm2 + relu2 + pool2"


# --- hooks --------------------------------------------------------------------------------------------------

LAYERS = ("conv1", "norm1", "relu1", "pool1", "conv2", "norm2", "relu2", "pool2")


def record_calls(network: nn.Sequential, name: str) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return a list that gets the inputs (of both kinds of hooks) and the outputs of each call of a layer."""
    inputs: list[Tensor] = []
    calls: list[tuple[Tensor, Tensor, Tensor]] = []
    layer = network.get_submodule(name)
    layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0].detach().clone()))
    layer.register_forward_hook(
        lambda _, given, outputs: calls.append((inputs.pop(), given[0].detach(), outputs.detach().clone()))
    )
    return calls


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("names", [*((name,) for name in LAYERS), LAYERS])
def test_hooks_get_what_they_get_without_fusing(names: tuple[str, ...], training: bool) -> None:
    network = built_network().train(training)
    unfused, images = unfused_copy(network), torch.randn(6, 1, 8, 8)
    calls = {name: (record_calls(network, name), record_calls(unfused, name)) for name in names}
    torch.testing.assert_close(network(images), unfused(images), rtol=1e-4, atol=1e-4)
    for name, (ours, expected) in calls.items():
        assert len(ours) == len(expected) == 1, name
        for value, other in zip(ours[0], expected[0], strict=True):
            torch.testing.assert_close(value, other, rtol=1e-4, atol=1e-4, msg=name)


def test_a_removed_hook_leaves_the_layers_fused(fused_calls: list[tuple[int, int]]) -> None:
    network, images = built_network(), torch.randn(6, 1, 8, 8)
    handle = network.relu1.register_forward_hook(lambda *_: None)
    network(images)
    assert len(fused_calls) == 1  # the second stage
    handle.remove()
    network(images)
    assert len(fused_calls) == 3


def test_backward_and_global_hooks_are_called(fused_calls: list[tuple[int, int]]) -> None:
    network, images, calls = built_network(), torch.randn(6, 1, 8, 8), []
    network.norm2.register_full_backward_hook(lambda *_: calls.append("norm2"))
    network(images).sum().backward()
    assert calls == ["norm2"]
    with register_module_forward_hook(lambda layer, *_: calls.append(layer)):
        network(images)
    assert [layer for layer in calls[1:] if layer in set(network)] == list(network)
    assert len(fused_calls) == 1


def test_a_hook_that_replaces_the_output_of_a_layer() -> None:
    network, images = built_network(), torch.randn(6, 1, 8, 8)
    network.relu2.register_forward_hook(lambda _, __, outputs: torch.zeros_like(outputs))
    assert torch.equal(network(images), network.linear1.bias.expand(6, 10))


# --- copies and changes -------------------------------------------------------------------------------------


def test_a_deep_copy_computes_with_its_own_layers(fused_calls: list[tuple[int, int]]) -> None:
    network, images = built_network(), torch.randn(6, 1, 8, 8)
    twin = copy.deepcopy(network)
    with torch.no_grad():
        twin.norm1.weight.zero_(), twin.norm1.bias.zero_()
    before = copy.deepcopy(network.state_dict())
    assert not torch.equal(twin(images), network.eval()(images))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert twin.norm1.num_batches_tracked == 1
    assert len(fused_calls) == 2


def test_a_replaced_layer_is_used(fused_calls: list[tuple[int, int]]) -> None:
    network, images = built_network(), torch.randn(6, 1, 8, 8)
    network(images)
    network.relu1 = nn.Tanh()
    unfused = unfused_copy(network)
    torch.testing.assert_close(network(images), unfused(images), rtol=1e-4, atol=1e-4)
    assert len(fused_calls) == 3


def test_a_slice_is_a_chain_of_its_own(fused_calls: list[tuple[int, int]]) -> None:
    network, images = built_network(), torch.randn(6, 1, 8, 8)
    expected = unfused_copy(network)[:3](images)
    torch.testing.assert_close(network[:3](images), expected)
    assert not fused_calls


def test_half_of_the_layers_in_evaluation_mode_are_not_fused(fused_calls: list[tuple[int, int]]) -> None:
    """As in fine-tuning with frozen statistics."""
    network, images = built_network(), torch.randn(6, 1, 8, 8)
    network.norm1.eval()
    unfused = unfused_copy(network)
    torch.testing.assert_close(network(images), unfused(images), rtol=1e-4, atol=1e-4)
    assert network.norm1.num_batches_tracked == 0
    assert len(fused_calls) == 1
