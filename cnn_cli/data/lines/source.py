"""Lines of digits as a data source: strips composed from the digits of another data set."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from cnn_cli.config.schema import Data
from cnn_cli.data.lines.blocks import CLASSES, compose_lines
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.data.splits import split

HELD_OUT = 5_000
"""Digits of the training set of which the validation lines are composed, at most a tenth."""

SPLIT_SEED = 1_453_043_608_113_796_198
"""The seed that `reader.yaml` splits MNIST with: neither of the two networks has seen these digits."""

PARTS = ("train", "validation", "test")
"""The place of a part is added to a multiple of the seed: no two parts of any seeds are composed alike."""


def open_lines(data: Data, digits: Source) -> Source:
    """Return lines composed from the digits of another source.

    Training lines have other digits than validation lines; test lines are made of the test digits.
    """
    settings = data.lines

    def lines(load: Callable[[], LabeledImages], part: str, count: int) -> LabeledImages:
        images = load()
        pixels, labels = images.take(slice(None))[:, 0].numpy(), images.labels.numpy()
        seed = len(PARTS) * settings.seed + PARTS.index(part)
        strips, texts = compose_lines(pixels, labels, count, seed, (data.size, settings.width))
        return LabeledImages(torch.from_numpy(strips).unsqueeze(1), torch.from_numpy(texts))

    return replace(
        digits,
        name=_name(digits.name),
        requested=_name(digits.requested),
        classes=CLASSES,
        train=partial(lines, lambda: training_digits(digits)[0], "train", settings.train),
        validation=partial(lines, lambda: training_digits(digits)[1], "validation", settings.validation),
        test=partial(lines, digits.test, "test", settings.test),
        preprocessing="line",
    )


def _name(digits: str) -> str:
    return "lines" if digits == "mnist" else f"lines of {digits} digits"


def training_digits(digits: Source) -> tuple[LabeledImages, LabeledImages]:
    """Return the digits of the training lines, and those of the validation lines."""
    images = digits.train()
    train, held_out = split(images.labels, min(HELD_OUT, len(images) // 10), SPLIT_SEED)
    return images.subset(train), images.subset(held_out)
