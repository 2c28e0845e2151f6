"""From a config to the things that a run is made of. Beyond these functions everything takes plain values."""

from pathlib import Path

from torch import nn

from cnn_cli.config import schema
from cnn_cli.data import splits
from cnn_cli.data.download import Progress
from cnn_cli.data.mnist import default_root
from cnn_cli.data.sources import Pictures, Source, classes_of, open_source
from cnn_cli.engine import device
from cnn_cli.engine.seeds import derive
from cnn_cli.errors import NetworkError
from cnn_cli.model.build import build_network
from cnn_cli.model.layers import Shape


def input_shape(config: schema.Config) -> Shape:
    """(C, H, W) of one input of the network."""
    return config.data.channels, config.data.size, config.data.size


def classes(config: schema.Config) -> int:
    """How many classes the network tells apart, as far as the config says it, without opening the data."""
    return config.model.classes or len(classes_of(config.data.name))


def network(config: schema.Config, classes: int) -> nn.Sequential:
    """The config's network for data of so many classes, without values in its weights.

    Raises:
        NetworkError: a layer does not fit, or the config is for another number of classes.
    """
    wanted = config.model.classes
    if wanted not in (None, classes):
        raise NetworkError(
            ("model", "classes"),
            f"is {wanted}, but the data has {classes} classes: set model.classes={classes}",
        )
    layers = [(item.name, item.parameters) for item in config.model.layers]
    return build_network(layers, input_shape(config), classes)


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


def split(config: schema.Config, pictures: Pictures) -> tuple[Pictures, Pictures]:
    """The training and the validation pictures of a run, cut from its source's training pictures.

    Raises:
        DataError: there are too few.
    """
    halves = splits.split(pictures.labels, config.data.validation, derive(config.seed, "validation split"))
    train, validation = (Pictures(pictures.images[half], pictures.labels[half]) for half in halves)
    return train, validation


def data_root(data: schema.Data) -> Path:
    """The folder of the data: the config's, else the environment's, else the user's cache."""
    return Path(data.root).expanduser() if data.root else default_root()


def compute(train: schema.Train) -> device.Compute:
    """The device, number format and threads that the config asks for."""
    return device.choose(train.device, train.precision, train.threads, deterministic=train.deterministic)
