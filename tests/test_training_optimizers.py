"""The optimizers compared with torch's unfused ones, and which weights have weight decay."""

import copy
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnn_cli.model.modules import ChannelAffine
from cnn_cli.training.optimizers import build_optimizer, orthogonalized

DEFAULTS = {"lr": 0.05, "momentum": 0.9, "betas": (0.8, 0.99), "weight_decay": 0.1}


@pytest.fixture
def network() -> nn.Sequential:
    """A float64 network without biases before normalization: their gradients are only rounding errors."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), ChannelAffine(3), nn.Tanh(), nn.Flatten()),
        *(nn.Linear(3 * 16, 8, bias=False), nn.BatchNorm1d(8), nn.Linear(8, 4)),
    ).double()


def ours(network: nn.Module, name: str, settings: dict) -> Callable[[], None]:
    """Return a step of our optimizer."""
    settings = dict(settings)
    lr = settings.pop("lr")
    optimizer = build_optimizer(network, name, **settings)

    def step() -> None:
        optimizer.step(lr)
        optimizer.zero_grad()

    return step


def train(network: nn.Module, step: Callable[[], None]) -> list[torch.Tensor]:
    draws = torch.Generator().manual_seed(1)
    for _ in range(8):
        inputs = torch.randn(6, 1, 6, 6, generator=draws, dtype=torch.float64)
        labels = torch.randint(0, 4, (6,), generator=draws)
        F.cross_entropy(network(inputs), labels).backward()
        step()
    return [parameter.detach() for parameter in network.parameters()]


def torchs(network: nn.Module, name: str, settings: dict) -> Callable[[], None]:
    """Return a step of torch's optimizer; only kernels and matrices have weight decay."""
    groups = [
        {"params": [p], "weight_decay": settings["weight_decay"] if p.ndim > 1 else 0.0}
        for p in network.parameters()
    ]
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    extra = {"momentum": settings["momentum"]} if name == "sgd" else {"betas": settings["betas"]}
    optimizer = kind(groups, lr=settings["lr"], foreach=False, fused=False, **extra)

    def step() -> None:
        optimizer.step()
        optimizer.zero_grad()

    return step


@pytest.mark.parametrize(
    "changes",
    [{}, {"weight_decay": 0.0}, {"momentum": 0.0}, {"betas": (0.0, 0.5)}, {"lr": 0.001, "weight_decay": 1.0}],
)
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_steps_equal_those_of_torch(network, name, changes):
    settings, twin = DEFAULTS | changes, copy.deepcopy(network)
    parameters = train(network, ours(network, name, settings))
    expected = train(twin, torchs(twin, name, settings))
    for parameter, other in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter, other, atol=1e-7, rtol=1e-6)


def test_adam_and_adamw_differ(network):
    twin = copy.deepcopy(network)
    plain = train(network, ours(network, "adam", DEFAULTS))
    decoupled = train(twin, ours(twin, "adamw", DEFAULTS))
    assert not torch.allclose(plain[0], decoupled[0], atol=1e-3)


def test_only_kernels_and_matrices_have_weight_decay(network):
    decayed, not_decayed = build_optimizer(
        network, "sgd", momentum=0.0, betas=(0, 0), weight_decay=0.1
    ).groups
    assert (decayed.weight_decay, not_decayed.weight_decay) == (0.1, 0.0)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {names[id(p)] for p in decayed.parameters} == {"0.weight", "5.weight", "7.weight"}
    assert {names[id(p)] for p in not_decayed.parameters} == {
        *("1.weight", "1.bias", "2.coefficient", "2.bias", "6.weight", "6.bias", "7.bias"),
    }


def test_steps_of_muon_are_those_of_torch(network):
    """torch has it for matrices only, in bfloat16; the first kernel's steps are those of a matrix [3, 9]."""
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.ndim > 1)
    network, twin = network.float(), copy.deepcopy(network).float()
    twin[0].weight = nn.Parameter(twin[0].weight.detach().flatten(1))
    matrices = [parameter for parameter in twin.parameters() if parameter.requires_grad]
    settings = {"lr": 0.05, "momentum": 0.8, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    reference = torch.optim.Muon(matrices, **settings)
    step = ours(network, "muon", DEFAULTS)
    draws = torch.Generator().manual_seed(1)
    before = [parameter.detach().clone() for parameter in matrices]
    for _ in range(4):
        kernels = [parameter for parameter in network.parameters() if parameter.requires_grad]
        for parameter, other in zip(kernels, matrices, strict=True):
            parameter.grad = torch.randn(parameter.shape, generator=draws)
            other.grad = parameter.grad.flatten(1).clone()
        step()
        reference.step()
    for parameter, other, start in zip(kernels, matrices, before, strict=True):
        moved, expected = parameter.detach().flatten(1) - start, other.detach() - start
        assert (moved - expected).norm() < 0.03 * expected.norm()


def test_muon_steps_as_adamw_where_there_is_no_matrix(network):
    twin = copy.deepcopy(network)
    for each in (network, twin):
        for parameter in each.parameters():
            parameter.requires_grad_(parameter.ndim == 1)
    parameters = train(network, ours(network, "muon", DEFAULTS))
    expected = train(twin, ours(twin, "adamw", DEFAULTS))
    for parameter, other in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter, other, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("shape", [(8, 8), (5, 40), (40, 5), (1, 7), (128, 1440)])
def test_an_orthogonalized_matrix_keeps_its_singular_vectors(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    inside = left.T @ orthogonalized(matrix) @ right.T
    assert (values > 1e-3 * values.norm()).all()
    assert ((inside.diagonal() > 0.6) & (inside.diagonal() < 1.3)).all()
    assert (inside - torch.diag(inside.diagonal())).abs().max() < 1e-9


def test_a_matrix_of_zeros_stays_zero():
    assert torch.equal(orthogonalized(torch.zeros(3, 4)), torch.zeros(3, 4))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "muon"])
def test_a_parameter_without_a_gradient_does_not_change(network, name):
    before = network[5].weight.detach().clone()
    step = ours(network, name, DEFAULTS)
    network(torch.randn(6, 1, 6, 6, dtype=torch.float64)).sum().backward()
    network[5].weight.grad = None
    step()
    assert torch.equal(network[5].weight, before)
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", ["sgd", "adamw", "muon"])
def test_a_loaded_state_continues_alike(name, layout):
    """Also if the state has another memory layout than the parameters."""
    settings = {"momentum": 0.9, "betas": (0.8, 0.99), "weight_decay": 0.1}
    torch.manual_seed(0)
    first = nn.Conv2d(3, 4, 3)
    second = copy.deepcopy(first).to(memory_format=layout)
    one, two = (build_optimizer(network, name, **settings) for network in (first, second))
    for number in range(4):
        gradient = torch.randn(4, 3, 3, 3)
        first.weight.grad, second.weight.grad = gradient.clone(), gradient.clone(memory_format=layout)
        one.step(0.1)
        if number == 1:  # the second continues from here
            second.load_state_dict(first.state_dict())
            two.load(dict(enumerate(one.state)))
        elif number > 1:
            two.step(0.1)
    torch.testing.assert_close(first.weight, second.weight, atol=1e-6, rtol=1e-5)


def test_the_compiler_is_not_imported():
    """Importing it takes as long as `import torch`."""
    code = (
        "import sys, torch; from cnn_cli.training.optimizers import build_optimizer\n"
        "n = torch.nn.Linear(3, 3)\n"
        "o = build_optimizer(n, 'adam', momentum=0, betas=(0.9, 0.99), weight_decay=0)\n"
        "n(torch.ones(2, 3)).sum().backward(); o.step(0.1)\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
