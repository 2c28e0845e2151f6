"""Logits of a whole set: each image once, in order, whatever the batches."""

import pytest
import torch
from helpers import tiny
from torch import nn

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.model.build import build_network, initialize
from cnn_cli.training import logits as evaluate
from cnn_cli.training.device import Compute
from cnn_cli.training.evaluation import logits_of

PREPARATION = Preprocessing(tiny.SIZE, mean=(0.2,), std=(0.4,))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def network() -> nn.Sequential:
    network = build_network(tiny.RICH, (1, tiny.SIZE, tiny.SIZE), 3)
    initialize(network, 0)
    return network


@pytest.fixture
def batches_of_7(monkeypatch) -> None:
    monkeypatch.setattr(evaluate, "BATCH_NUMBERS", 7 * tiny.SIZE**2 + 3)


@pytest.mark.usefixtures("batches_of_7")
@pytest.mark.parametrize("count", [1, 6, 7, 8, 14, 50])
def test_every_image_is_answered_in_its_place(network, count):
    images = tiny.images(count)
    with torch.no_grad():
        expected = network.eval()((images.store / 255 - 0.2) / 0.4)
    found = logits_of(network, images, PREPARATION, tiny.CPU)
    assert found.shape == (count, 3)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_image_larger_than_a_batch_is_allowed(network, monkeypatch):
    images = tiny.images(evaluate.LEAST + 3)
    expected = logits_of(network, images, PREPARATION, tiny.CPU)
    monkeypatch.setattr(evaluate, "BATCH_NUMBERS", 1)
    torch.testing.assert_close(logits_of(network, images, PREPARATION, tiny.CPU), expected)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_and_batch_statistics_stay_out_of_it_and_the_mode_comes_back(network, training):
    network.train(training)
    before = network.norm1.running_mean.clone()
    images = tiny.images(20)
    first, again = (logits_of(network, images, PREPARATION, tiny.CPU) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(network.norm1.running_mean, before)
    assert network.training == training
    assert all(module.training == training for module in network)


def test_no_graph_is_kept(network):
    logits = logits_of(network, tiny.images(3), PREPARATION, tiny.CPU)
    assert not logits.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


def test_bfloat16_gives_float32_logits_close_to_those_of_float32(network):
    images = tiny.images(20)
    half = Compute(torch.device("cpu"), "bfloat16", 1)
    logits, exact = (logits_of(network, images, PREPARATION, compute) for compute in (half, tiny.CPU))
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, exact)
    torch.testing.assert_close(logits, exact, atol=0.05, rtol=0.05)
