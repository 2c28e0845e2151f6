"""The data of a run: training and validation images, with further digits and outliers."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config.augmentation import Augmentation
from cnn_cli.config.schema import Config
from cnn_cli.data import splits
from cnn_cli.data.outliers.pool import OutlierPool, draw_pool
from cnn_cli.data.preprocess import mean_and_std
from cnn_cli.data.source import DIGITS, LabeledImages, Source
from cnn_cli.errors import ConfigError
from cnn_cli.training.balance import balanced_order, balanced_weights
from cnn_cli.training.seeds import derive

MAX_VALIDATION = 5_000
"""Upper limit of validation images if the config has no number: at 99.5 % the standard error is 0.1 %."""

OUTLIERS_PURPOSE = "outliers"
"""The purpose of the random draws of outliers, for `derive`."""


@dataclass(frozen=True)
class TrainingData:
    """The images of a training loop, all uint8. The validation set may be empty."""

    train: LabeledImages
    validation: LabeledImages
    augment: Augmentation
    outliers: OutlierPool
    balance: bool = False
    """Whether each class is drawn equally often."""
    class_weights: Tensor | None = None
    """float32 [C], factors of the loss by label; None: all 1."""

    def order(self, draws: torch.Generator) -> Tensor:
        """Return the training images of an epoch in random order, as indices int64 [N]."""
        if self.balance:
            return balanced_order(self.train.labels, draws)
        return torch.randperm(len(self.train), generator=draws)

    def to(self, device: torch.device) -> "TrainingData":
        """Return the same data on another device."""
        return replace(
            self,
            train=self.train.to(device),
            validation=self.validation.to(device),
            outliers=self.outliers.to(device),
            class_weights=None if self.class_weights is None else self.class_weights.to(device),
        )

    def images(self, indices: Tensor, outliers: Tensor) -> Tensor:
        """Return uint8 [N + K, C, H, W]: training images at `indices` [N], then those at `outliers` [K]."""
        images = self.train.take(indices)
        return torch.cat([images, self.outliers.images[outliers]]) if len(outliers) else images


def split_images(config: Config, source: Source) -> tuple[LabeledImages, LabeledImages]:
    """Return the training and validation images of a run: the source's own, or cut from its training images.

    Raises:
        DataError: there are too few images.
        ConfigError: the config cuts a validation set, but the source has one.
    """
    images, count = source.train(), config.data.validation
    if source.validation is not None:
        if count:
            raise ConfigError(
                f"data.validation: is {count:,}, but {source.name} has its own validation images",
                hint="leave data.validation out",
            )
        return images, source.validation()
    if count is None:
        count = min(MAX_VALIDATION, len(images) // 10)
    train, validation = splits.split(images.labels, count, derive(config.seed, "validation split"))
    return images.subset(train), images.subset(validation)


def training_data(config: Config, source: Source) -> tuple[TrainingData, Preprocessing]:
    """Return the data of a run, and the preprocessing measured on its training images.

    Raises:
        DataError: there are too few images.
        ConfigError: the config asks for outliers or further digits, but the source has no digits.
    """
    train, validation = split_images(config, source)
    preprocessing = measured_preprocessing(config, source, train)
    _check_digits(config, source)
    train, wrong = _with_more_digits(config, train)
    seed, composed = derive(config.seed, OUTLIERS_PURPOSE), config.data.proposed > 0
    outliers = draw_pool(len(train), config.data.outliers, seed, also=wrong, composed=composed)
    weights = None
    if config.train.class_weights == "balanced":
        weights = balanced_weights(train.labels, len(source.classes))
    data = TrainingData(train, validation, config.data.augment, outliers, config.data.balance, weights)
    return data, preprocessing


def measured_preprocessing(config: Config, source: Source, train: LabeledImages) -> Preprocessing:
    """Return the preprocessing with the config's mean and deviation, or those of `train`."""
    data = config.data
    mean, std = _per_channel(data.mean, data.channels), _per_channel(data.std, data.channels)
    if mean is None or std is None:
        measured = mean_and_std(train, data.channels)
        mean, std = mean or measured[0], std or measured[1]
    return Preprocessing(data.size, mean, std, source.preprocessing, data.width)


def _check_digits(config: Config, source: Source) -> None:
    for name in ("outliers", "drawn", "proposed"):
        if getattr(config.data, name) and (source.classes != DIGITS or source.preprocessing != "digit"):
            raise ConfigError(
                f"data.{name}: works with digits only, but {source.name} holds other images",
                hint=f"set data.{name}=0",
            )


def _with_more_digits(config: Config, train: LabeledImages) -> tuple[LabeledImages, Tensor]:
    """Return the images with drawn and proposed digits, and the images of no digit made beside."""
    settings, seed, count = config.data, config.seed, len(train)
    wrong = train.store[:0]
    if settings.drawn:
        train = _joined(train, _drawn(math.ceil(settings.drawn * count), derive(seed, "drawn")))
    if settings.proposed:
        proposed, wrong = _proposed(train, math.ceil(settings.proposed * count), derive(seed, "proposed"))
        train = _joined(train, proposed)
    return train, wrong


def _drawn(count: int, seed: int) -> LabeledImages:
    from cnn_cli.data.synthetic.styles import draw_styles  # drawing needs imports that most runs do not

    images, labels = draw_styles(count, seed)
    return _labeled(images, torch.from_numpy(labels).long())


def _proposed(train: LabeledImages, count: int, seed: int) -> tuple[LabeledImages, Tensor]:
    """Return digits as the image code proposes them, and wrong hypotheses."""
    from cnn_cli.data.proposed import propose  # composing needs imports that most runs do not

    made = propose(_pixels(train), train.labels.numpy(), count, seed)
    return _labeled(made.digits, train.labels[torch.from_numpy(made.which)]), _images(made.wrong)


def _joined(first: LabeledImages, second: LabeledImages) -> LabeledImages:
    store = torch.cat([first.take(slice(None)), second.store])
    return LabeledImages(store, torch.cat([first.labels, second.labels]))


def _labeled(digits: NDArray[np.uint8], labels: Tensor) -> LabeledImages:
    return LabeledImages(_images(digits), labels)


def _images(digits: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(digits).unsqueeze(1)


def _pixels(images: LabeledImages) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = images.take(slice(None))[:, 0].numpy()
    return pixels


def _per_channel(numbers: tuple[float, ...] | None, channels: int) -> tuple[float, ...] | None:
    """Return one number per channel, from one number for all of them."""
    return numbers * channels if numbers and len(numbers) == 1 else numbers
