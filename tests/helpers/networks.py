"""Networks of configs, as the commands build them, and checkpoints of a small network with random weights."""

from typing import Any

from torch import nn

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config.schema import Config
from cnn_cli.data.sources import classes_of
from cnn_cli.model.build import initialize
from cnn_cli.model.network import network_for

CLASSES = ("bar", "box", "dot")
LAYERS = [
    {"pool": {"window": 4, "kind": "avg"}},
    {"conv": {"out": 4, "kernel": 3}},
    {"norm": "batch"},
    "relu",
    "flatten",
    {"linear": 3},
]


def checkpoint_of(
    seed: int, mean: tuple[float, ...] = (0.1,), std: tuple[float, ...] = (0.3,), **changes: Any
) -> Checkpoint:
    """Return a checkpoint with random weights; `changes` are other fields of the checkpoint."""
    config = Config.model_validate({"name": "small", "model": {"layers": LAYERS}})
    network = network_for(config, len(CLASSES))
    initialize(network, seed)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return Checkpoint(weights, config, CLASSES, "shapes", Preprocessing(28, mean, std), **changes)


def class_count(config: Config) -> int:
    """Return the number of classes that the config states, or else that its data has."""
    return config.model.classes or len(classes_of(config.data))


def network_of(config: Config) -> nn.Sequential:
    """Build the network of a config. Its weights have no values yet."""
    return network_for(config, class_count(config))
