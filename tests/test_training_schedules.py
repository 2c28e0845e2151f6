"""Learning-rate schedules compared with torch's schedulers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    LRScheduler,
    OneCycleLR,
    StepLR,
)

from cnn_cli.training.schedules import schedule

DEFAULTS = {"total_steps": 50, "warmup": 0.0, "steps_per_epoch": 5, "step_epochs": 2, "step_factor": 0.1}


def ours(name: str, **changes) -> list[float]:
    options = DEFAULTS | changes
    factor = schedule(name, **options)
    return [factor(step) for step in range(options["total_steps"])]


def torchs(steps: int, scheduler: type[LRScheduler], **options) -> list[float]:
    """Return the learning rate of each step, with the peak 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    running, rates = scheduler(optimizer, **options), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        running.step() if len(rates) < steps else None
    return rates


@given(st.integers(2, 300), st.floats(0, 0.95))
def test_one_cycle_is_that_of_torch(steps, warmup):
    if warmup * steps == 1:
        warmup = 0.0  # torch divides by zero if the rise has exactly one step
    options = {"max_lr": 1.0, "total_steps": steps, "pct_start": warmup, "cycle_momentum": False}
    assert ours("one_cycle", total_steps=steps, warmup=warmup) == pytest.approx(
        torchs(steps, OneCycleLR, **options), rel=1e-6, abs=1e-9
    )


def test_the_start_peak_and_end_of_one_cycle():
    factors = ours("one_cycle", total_steps=100, warmup=0.3)
    assert factors[0] == pytest.approx(1 / 25)
    assert factors[29] == max(factors) == 1.0
    assert factors[-1] == pytest.approx(1 / 250_000)


@pytest.mark.parametrize("warmup", [0.0, 0.2, 0.5, 0.99])
@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("name", ["constant", "step", "cosine", "one_cycle"])
def test_short_runs(name, steps, warmup):
    factors = ours(name, total_steps=steps, warmup=warmup)
    assert all(0 < factor <= 1 for factor in factors)


@pytest.mark.parametrize("steps", [1, 2, 50])
def test_cosine_is_that_of_torch(steps):
    expected = torchs(steps, CosineAnnealingLR, T_max=steps)
    assert ours("cosine", total_steps=steps) == pytest.approx(expected, abs=1e-12)


def test_step_is_that_of_torch():
    assert ours("step") == pytest.approx(torchs(50, StepLR, step_size=10, gamma=0.1))


def test_constant():
    assert ours("constant") == [1.0] * 50


@pytest.mark.parametrize("name", ["constant", "step", "cosine"])
def test_the_warm_up_is_linear_and_ends_at_the_peak(name):
    factors = ours(name, warmup=0.18)
    assert factors[:9] == pytest.approx([n / 10 for n in range(1, 10)])  # 9 of 50 steps
    assert factors[9] == 1.0


def test_cosine_falls_over_the_steps_after_the_warm_up():
    factors = ours("cosine", warmup=0.2)
    expected = [(1 + math.cos(math.pi * step / 40)) / 2 for step in range(40)]
    assert factors[10:] == pytest.approx(expected)


def test_step_drops_at_the_same_epochs_with_a_warm_up():
    assert ours("step", warmup=0.1)[5:] == ours("step")[5:]


def test_restarts_are_those_of_torch():
    """Cycles of 30, 60 and 120 steps, as CosineAnnealingWarmRestarts(T_0=30, T_mult=2) has them."""
    rates = ours("cosine", total_steps=210, warmup=0.0, restarts=(30, 90))
    assert rates == pytest.approx(torchs(210, CosineAnnealingWarmRestarts, T_0=30, T_mult=2), abs=1e-6)


def test_each_cycle_has_its_own_warm_up():
    first, second = ours("one_cycle", total_steps=100), ours("one_cycle", total_steps=50)
    assert ours("one_cycle", total_steps=150, restarts=(100,)) == first + second
