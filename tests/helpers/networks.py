"""Networks of configs, as the commands build them."""

from torch import nn

from cnn_cli.config.schema import Config
from cnn_cli.data.sources import classes_of
from cnn_cli.model.network import network_for


def class_count(config: Config) -> int:
    """Return the number of classes that the config states, or else that its data has."""
    return config.model.classes or len(classes_of(config.data))


def network_of(config: Config) -> nn.Sequential:
    """Build the network of a config. Its weights have no values yet."""
    return network_for(config, class_count(config))
