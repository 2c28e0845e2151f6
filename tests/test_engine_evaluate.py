"""Logits of a whole set: each picture once, in order, whatever the batches."""

import pytest
import tiny
import torch
from torch import nn

from cnn_cli.data.inputs import Preparation
from cnn_cli.engine import evaluate
from cnn_cli.engine.device import Compute
from cnn_cli.engine.evaluate import logits_of
from cnn_cli.model.build import build_network, initialise

PREPARATION = Preparation(tiny.SIZE, mean=(0.2,), std=(0.4,))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def network() -> nn.Sequential:
    network = build_network(tiny.RICH, (1, tiny.SIZE, tiny.SIZE), 3)
    initialise(network, 0)
    return network


@pytest.fixture
def batches_of_7(monkeypatch) -> None:
    monkeypatch.setattr(evaluate, "BATCH_NUMBERS", 7 * tiny.SIZE**2 + 3)


@pytest.mark.usefixtures("batches_of_7")
@pytest.mark.parametrize("count", [1, 6, 7, 8, 14, 50])
def test_every_picture_is_answered_in_its_place(network, count):
    pictures = tiny.pictures(count)
    with torch.no_grad():
        expected = network.eval()((pictures.store / 255 - 0.2) / 0.4)
    found = logits_of(network, pictures, PREPARATION, tiny.CPU)
    assert found.shape == (count, 3)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_picture_larger_than_a_batch_is_allowed(network, monkeypatch):
    pictures = tiny.pictures(evaluate.LEAST + 3)
    expected = logits_of(network, pictures, PREPARATION, tiny.CPU)
    monkeypatch.setattr(evaluate, "BATCH_NUMBERS", 1)
    torch.testing.assert_close(logits_of(network, pictures, PREPARATION, tiny.CPU), expected)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_and_batch_statistics_stay_out_of_it_and_the_mode_comes_back(network, training):
    network.train(training)
    before = network.norm1.running_mean.clone()
    pictures = tiny.pictures(20)
    first, again = (logits_of(network, pictures, PREPARATION, tiny.CPU) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(network.norm1.running_mean, before)
    assert network.training == training
    assert all(module.training == training for module in network)


def test_no_graph_is_kept(network):
    logits = logits_of(network, tiny.pictures(3), PREPARATION, tiny.CPU)
    assert not logits.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


def test_bfloat16_gives_float32_logits_close_to_those_of_float32(network):
    pictures = tiny.pictures(20)
    half = Compute(torch.device("cpu"), "bfloat16", 1)
    logits, exact = (logits_of(network, pictures, PREPARATION, compute) for compute in (half, tiny.CPU))
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, exact)
    torch.testing.assert_close(logits, exact, atol=0.05, rtol=0.05)
