"""From a config to the things that a run is made of. Beyond these functions everything takes plain values."""

from pathlib import Path

from torch import nn

from cnn_cli.config import schema
from cnn_cli.data.download import Progress
from cnn_cli.data.mnist import default_root
from cnn_cli.data.sources import Source, open_source
from cnn_cli.engine import device
from cnn_cli.model.build import build_network

CHANNELS = 1
"""Grey pictures: one channel."""


def network(config: schema.Config, classes: int) -> nn.Sequential:
    """The config's network, without values in its weights.

    Raises:
        NetworkError: a layer does not fit.
    """
    layers = [(item.name, item.parameters) for item in config.model.layers]
    return build_network(layers, (CHANNELS, config.data.size, config.data.size), classes)


def source(data: schema.Data, progress: Progress | None = None) -> Source:
    """Open the config's data, or its declared fallback.

    Raises:
        DataError: it cannot be had.
    """
    return open_source(
        data.name,
        root=data_root(data),
        mirrors=data.mirrors,
        fallback=None if data.fallback == "none" else data.fallback,
        synthetic_train=data.synthetic.train,
        synthetic_test=data.synthetic.test,
        synthetic_seed=data.synthetic.seed,
        progress=progress,
    )


def data_root(data: schema.Data) -> Path:
    """The folder of the data: the config's, else the environment's, else the user's cache."""
    return Path(data.root).expanduser() if data.root else default_root()


def compute(train: schema.Train) -> device.Compute:
    """The device, number format and threads that the config asks for."""
    return device.choose(train.device, train.precision, train.threads, deterministic=train.deterministic)
