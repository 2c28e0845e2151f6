"""Frozen layers keep their weights and their statistics, and compute as in an evaluation."""

import pytest
import torch
from helpers import tiny

from cnn_cli.config import schema
from cnn_cli.errors import NetworkError
from cnn_cli.model.build import build_network, initialize
from cnn_cli.training.freeze import check_freeze

pytestmark = pytest.mark.usefixtures("one_thread")


def network():
    """A network with a block: part1 with conv1 and norm1, then flatten1 and linear1."""
    conv, norm, *_ = tiny.RICH
    layers = [("block", {"name": "part", "layers": [conv, norm]}), ("flatten", {}), tiny.PLAIN[-1]]
    built = build_network(layers, (1, tiny.SIZE, tiny.SIZE), 3)
    initialize(built, 0)
    return built


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_frozen_layers_stay_and_the_others_learn(ema):
    """Also after the validation of each epoch, which puts the network into evaluation mode and back."""
    loop = tiny.loop(tiny.RICH, start="parent", freeze=("conv1", "norm1"), ema=ema, weight_decay=0.1)
    before = tiny.weights(loop.network)
    tiny.epochs_of(loop)
    after = tiny.weights(loop.network)
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed == {f"{layer}.{kind}" for layer in ("conv2", "linear1") for kind in ("weight", "bias")}
    frozen = {name: tensor for name, tensor in loop.best.items() if name not in changed}
    assert all(torch.equal(tensor, before[name]) for name, tensor in frozen.items())


def test_without_freeze_the_statistics_move():
    loop = tiny.loop(tiny.RICH)
    before = tiny.weights(loop.network)
    tiny.epochs_of(loop)
    assert not torch.equal(before["norm1.running_mean"], loop.network.state_dict()["norm1.running_mean"])


def test_frozen_layers_compute_in_training_what_they_compute_in_an_evaluation():
    """Features of frozen layers can be computed once: torch in evaluation mode is the reference."""
    loop = tiny.loop(tiny.RICH, start="parent", freeze=("conv1", "norm1", "dropout1"))
    calls = {}
    for name in ("norm1", "dropout1"):
        layer = loop.network.get_submodule(name)
        layer.register_forward_hook(lambda module, given, result: calls.update({module: (given[0], result)}))
    next(loop.run())
    norm, dropout = loop.network.norm1, loop.network.dropout1
    inputs, outputs = calls[norm]
    mean, variance, weight, bias = (
        numbers[:, None, None] for numbers in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    torch.testing.assert_close(outputs, (inputs - mean) / (variance + norm.eps).sqrt() * weight + bias)
    assert torch.equal(*calls[dropout])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["conv1"], "the network has no layer 'conv1' (did you mean 'part1.conv1'?)"),
        (["part1", "prat1"], "the network has no layer 'prat1' (did you mean 'part1'"),
        (["nothing like it"], "the network has no layer 'nothing like it'"),
        (["part1", "linear1"], "no layer with weights is left to train"),
    ],
)
def test_names_that_are_wrong(names, message):
    with pytest.raises(NetworkError) as caught:
        check_freeze(network(), names, new_layers=())
    assert message in caught.value.message
    assert caught.value.path[:2] == ("train", "freeze")


def test_a_layer_that_is_made_anew_cannot_be_frozen():
    check_freeze(network(), ["part1.conv1"], new_layers=["linear1"])
    with pytest.raises(NetworkError, match="layer linear1 is made anew"):
        check_freeze(network(), ["linear1"], new_layers=["linear1"])


def test_there_is_nothing_to_freeze_without_a_start():
    with pytest.raises(ValueError, match="freeze keeps the weights of `start`"):
        schema.Train(freeze=("conv1",))
