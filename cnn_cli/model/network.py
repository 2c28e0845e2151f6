"""From a config or a checkpoint to a torch network. The other modules of this folder take plain values."""

import torch
from torch import nn

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.config.schema import Config
from cnn_cli.errors import ConfigError, DataError, NetworkError
from cnn_cli.memory import keep_memory
from cnn_cli.model.build import build_network
from cnn_cli.model.shapes import Shape
from cnn_cli.text import one_line


def input_shape(config: Config) -> Shape:
    """Return (C, H, W) of one input of the network."""
    return config.data.input_shape


def network_for(config: Config, classes: int) -> nn.Sequential:
    """Build the config's network for data with this many classes. Its weights have no values yet.

    Raises:
        NetworkError: a layer does not fit, or the config is for another number of classes.
    """
    stated = config.model.classes
    if stated not in (None, classes):
        raise NetworkError(
            ("model", "classes"),
            f"is {stated}, but the data has {classes} classes: set model.classes={classes}",
        )
    layers = [(item.name, item.parameters) for item in config.model.layers]
    per_column = config.data.name == "lines"
    return build_network(layers, input_shape(config), classes + per_column, per_column=per_column)


def load_network(checkpoint: Checkpoint) -> nn.Sequential:
    """Build the checkpoint's network with its weights, in evaluation mode.

    Raises:
        DataError: the weights do not fit the network of the config.
    """
    keep_memory()
    try:
        network = network_for(checkpoint.config, len(checkpoint.classes))
        network.load_state_dict({name: torch.from_numpy(array) for name, array in checkpoint.weights.items()})
    except (ConfigError, RuntimeError, TypeError) as error:  # RecursionError is a RuntimeError
        place = checkpoint.path or "the checkpoint"
        raise DataError(f"{place}: its weights do not fit its config: {one_line(error)}") from None
    return network.eval().to(memory_format=memory_format(checkpoint.config.train.channels_last))


def memory_format(channels_last: bool) -> torch.memory_format:
    """Return the memory layout of images and feature maps."""
    return torch.channels_last if channels_last else torch.contiguous_format
