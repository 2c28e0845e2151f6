"""Networks of configs, as the commands build them, and checkpoints of a small network with random weights."""

from typing import Any

import numpy as np
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


def random_checkpoint(layers: list[Any], seed: int = 0, **data: Any) -> Checkpoint:
    """Return a checkpoint of these layers with ten classes and random weights and statistics.

    Args:
        layers: as the YAML writes them.
        seed: of the weights, which keep the numbers in the network of one size.
        data: settings of the config's section `data`.
    """
    config = Config.model_validate(
        {"name": "random", "data": data, "model": {"layers": layers, "classes": 10}}
    )
    random = np.random.default_rng(seed)
    weights = {
        name: _random_values(name, tuple(tensor.shape), random)
        for name, tensor in network_for(config, 10).state_dict().items()
    }
    settings, classes = config.data, tuple("0123456789")
    mean, std = (0.1307, 0.2, 0.3)[: settings.channels], (0.3081, 0.25, 0.35)[: settings.channels]
    preprocessing = Preprocessing(settings.size, mean, std, settings.preprocessing or "digit")
    return Checkpoint(weights, config, classes, "synthetic", preprocessing, temperature=1.3)


def _random_values(name: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if len(shape) > 1:
        return random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)
    if name.endswith(("running_var", "weight", "coefficient")):
        return random.uniform(0.7, 1.3, shape).astype(np.float32)
    return random.normal(0, 0.2, shape).astype(np.float32)


def class_count(config: Config) -> int:
    """Return the number of classes that the config states, or else that its data has."""
    return config.model.classes or len(classes_of(config.data))


def network_of(config: Config) -> nn.Sequential:
    """Build the network of a config. Its weights have no values yet."""
    return network_for(config, class_count(config))
