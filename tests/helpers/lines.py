"""Composed lines of digits that the program draws, and a small network that reads them."""

from functools import cache

import torch

from cnn_cli.config import schema
from cnn_cli.data.lines.blocks import CLASSES, compose_lines
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.data.synthetic import draw

WIDTH = 96
LAYERS = [
    {"conv": {"out": 8, "kernel": 5, "stride": 2, "padding": 2}},
    {"norm": "batch"},
    "relu",
    {"pool": [2, 1]},
    {"conv": {"out": 16, "kernel": [8, 5], "padding": [0, 2]}},
    "relu",
    {"dropout": 0.1},
    {"conv": {"out": "classes", "kernel": 1}},
]


def config(**train) -> schema.Config:
    """Return the config of a small network for lines; the arguments go into its section `train`."""
    values = {
        "name": "line",
        "data": {
            "name": "lines",
            "size": 32,
            "augment": {"shear": 0.1},
            "synthetic": {"train": 100, "test": 100},
            "lines": {"digits": "synthetic", "train": 40, "validation": 12, "test": 10, "width": WIDTH},
        },
        "model": {"layers": LAYERS},
        "train": {"epochs": 2, "batch_size": 16, "lr": 0.01, "device": "cpu", "precision": "float32"} | train,
    }
    return schema.Config.model_validate(values)


@cache
def lines(count: int, seed: int) -> LabeledImages:
    """Return composed lines."""
    digits, labels = draw(250, seed)
    strips, texts = compose_lines(digits, labels, count, seed, (32, WIDTH))
    return LabeledImages(torch.from_numpy(strips).unsqueeze(1), torch.from_numpy(texts))


def source() -> Source:
    """Return a data set of a few lines."""
    return Source(
        "lines",
        "lines",
        CLASSES,
        lambda: lines(40, 1),
        lambda: lines(10, 2),
        preprocessing="line",
        validation=lambda: lines(12, 3),
    )
