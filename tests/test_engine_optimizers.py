"""The optimisers against torch's unfused ones, and which weights decay."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnn_cli.engine.optimizers import build_optimizer
from cnn_cli.model.modules import ChannelAffine

DEFAULTS = {"lr": 0.05, "momentum": 0.9, "betas": (0.8, 0.99), "weight_decay": 0.1}


@pytest.fixture
def network() -> nn.Sequential:
    """In float64, and without biases that normalisation undoes: Adam would blow their rounding errors up."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), ChannelAffine(3), nn.Tanh(), nn.Flatten()),
        *(nn.Linear(3 * 16, 8, bias=False), nn.BatchNorm1d(8), nn.Linear(8, 4)),
    ).double()


def train(network: nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    draws = torch.Generator().manual_seed(1)
    for _ in range(8):
        inputs = torch.randn(6, 1, 6, 6, generator=draws, dtype=torch.float64)
        labels = torch.randint(0, 4, (6,), generator=draws)
        F.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    return [parameter.detach() for parameter in network.parameters()]


def theirs(network: nn.Module, name: str, settings: dict) -> torch.optim.Optimizer:
    """torch's optimiser, one parameter at a time; kernels and matrices are the only ones that decay."""
    groups = [
        {"params": [p], "weight_decay": settings["weight_decay"] if p.ndim > 1 else 0.0}
        for p in network.parameters()
    ]
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    extra = {"momentum": settings["momentum"]} if name == "sgd" else {"betas": settings["betas"]}
    return kind(groups, lr=settings["lr"], foreach=False, fused=False, **extra)


@pytest.mark.parametrize(
    "changes",
    [{}, {"weight_decay": 0.0}, {"momentum": 0.0}, {"betas": (0.0, 0.5)}, {"lr": 0.001, "weight_decay": 1.0}],
)
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_steps_are_torchs(network, name, changes):
    settings, twin = DEFAULTS | changes, copy.deepcopy(network)
    ours = train(network, build_optimizer(network, name, **settings))
    others = train(twin, theirs(twin, name, settings))
    for mine, other in zip(ours, others, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-7, rtol=1e-6)


def test_adam_and_adamw_are_not_the_same(network):
    twin = copy.deepcopy(network)
    plain = train(network, build_optimizer(network, "adam", **DEFAULTS))
    decoupled = train(twin, build_optimizer(twin, "adamw", **DEFAULTS))
    assert not torch.allclose(plain[0], decoupled[0], atol=1e-3)


def test_kernels_and_matrices_decay_and_nothing_else(network):
    decaying, free = build_optimizer(network, "sgd", **DEFAULTS).param_groups
    assert (decaying["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {names[id(p)] for p in decaying["params"]} == {"0.weight", "5.weight", "7.weight"}
    assert {names[id(p)] for p in free["params"]} == {
        *("1.weight", "1.bias", "2.coefficient", "2.bias", "6.weight", "6.bias", "7.bias"),
    }
