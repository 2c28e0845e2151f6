"""From a config to the things that a run is made of. Beyond these functions everything takes plain values."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from cnn_cli.config import schema
from cnn_cli.data import splits
from cnn_cli.data.download import Progress
from cnn_cli.data.inputs import Preparation, mean_and_std
from cnn_cli.data.source import DIGITS, Drawing, FolderReading, Options, default_root
from cnn_cli.data.sources import Pictures, Source, check_source, classes_of, open_source
from cnn_cli.data.verify import Check
from cnn_cli.engine import device
from cnn_cli.engine.seeds import derive
from cnn_cli.engine.strangers import EPOCHS, NOBODY, POOL, Strangers
from cnn_cli.errors import ConfigError, NetworkError
from cnn_cli.model.build import build_network
from cnn_cli.model.shapes import Shape

MOST_VALIDATION = 5_000
"""Validation pictures at most, where the config does not say: at 99.5 % they know the accuracy to 0.1 %."""


def input_shape(config: schema.Config) -> Shape:
    """(C, H, W) of one input of the network."""
    return config.data.channels, config.data.size, config.data.size


def classes(config: schema.Config) -> int:
    """How many classes the network tells apart, as far as the config says it, without opening the data."""
    return config.model.classes or data_classes(config.data)


def data_classes(data: schema.Data) -> int:
    """How many classes the data has, without opening it.

    Raises:
        DataError: it is a folder that cannot be read.
    """
    return len(classes_of(data.name, _options(data)))


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
    fallback = None if data.fallback == "none" else data.fallback
    return open_source(data.name, _options(data, progress), fallback)


def check(data: schema.Data) -> list[Check]:
    """What can be proven of the config's data where it lies; nothing is downloaded.

    Raises:
        DataError: it cannot be looked at.
    """
    return check_source(data.name, _options(data))


def _options(data: schema.Data, progress: Progress | None = None) -> Options:
    return Options(
        root=data_root(data),
        mirrors=data.mirrors,
        synthetic=Drawing(**data.synthetic.model_dump()),
        folder=FolderReading(**data.folder.model_dump()),
        size=data.size,
        channels=data.channels,
        progress=progress,
    )


def training_pictures(config: schema.Config, source: Source) -> tuple[Pictures, Pictures]:
    """The training and the validation pictures of a run: the source's own, or cut from its training pictures.

    Raises:
        DataError: there are too few.
        ConfigError: the config cuts a validation set, but the source has one.
    """
    pictures, count = source.train(), config.data.validation
    if source.validation is not None:
        if count:
            raise ConfigError(
                f"data.validation: is {count:,}, but {source.name} has validation pictures of its own",
                hint="leave data.validation out",
            )
        return pictures, source.validation()
    if count is None:
        count = min(MOST_VALIDATION, len(pictures) // 10)
    halves = splits.split(pictures.labels, count, derive(config.seed, "validation split"))
    train, validation = (pictures.subset(half) for half in halves)
    return train, validation


def shown(config: schema.Config, source: Source, train: Pictures) -> tuple[Pictures, Strangers]:
    """What a run with these training pictures learns from: with digits cut out of rows, and with strangers.

    Raises:
        ConfigError: the config wants some, but the source's pictures are not digits in ink.
    """
    data = config.data
    for name in ("strangers", "neighbours"):
        if getattr(data, name) and (source.classes != DIGITS or source.reading != "ink"):
            raise ConfigError(
                f"data.{name}: are made of digits in ink, but {source.name} holds other pictures",
                hint=f"set data.{name}=0",
            )
    wrong = train.store[:0]
    if data.neighbours:
        train, wrong = _with_neighbours(train, data.neighbours, derive(config.seed, "neighbours"))
    if not data.strangers:
        return train, NOBODY
    from cnn_cli.data.strangers import draw  # drawing needs imports that most runs do not

    count = min(POOL, math.ceil(EPOCHS * data.strangers * len(train)))
    drawn = torch.from_numpy(draw(count, derive(config.seed, "strangers"))).unsqueeze(1)
    return train, Strangers(torch.cat([drawn, wrong]), data.strangers)


def _with_neighbours(train: Pictures, share: float, seed: int) -> tuple[Pictures, Tensor]:
    """The pictures, and so many more for each that are cut out of rows; and what is cut out wrongly."""
    from cnn_cli.data.neighbours import cut_out  # cutting needs imports that most runs do not

    images = train.take(slice(None))
    cut = cut_out(images[:, 0].numpy(), math.ceil(share * len(train)), seed)
    store = torch.cat([images, torch.from_numpy(cut.digits).unsqueeze(1)])
    labels = torch.cat([train.labels, train.labels[torch.from_numpy(cut.which)]])
    return Pictures(store, labels), torch.from_numpy(cut.wrong).unsqueeze(1)


def preparation(config: schema.Config, source: Source, train: Pictures) -> Preparation:
    """How a run's pictures become inputs: with the config's mean and deviation, or those of `train`."""
    data = config.data
    mean, std = _per_channel(data.mean, data.channels), _per_channel(data.std, data.channels)
    if mean is None or std is None:
        measured = mean_and_std(train, data.channels)
        mean, std = mean or measured[0], std or measured[1]
    return Preparation(data.size, mean, std, source.reading)


def _per_channel(numbers: tuple[float, ...] | None, channels: int) -> tuple[float, ...] | None:
    """A number for each channel, from one for all of them."""
    return numbers * channels if numbers and len(numbers) == 1 else numbers


def data_root(data: schema.Data) -> Path:
    """The folder of the data: the config's, else the environment's, else the user's cache."""
    return Path(data.root).expanduser() if data.root else default_root()


def compute(train: schema.Train) -> device.Compute:
    """The device, number format and threads that the config asks for."""
    return device.choose(train.device, train.precision, train.threads, deterministic=train.deterministic)
