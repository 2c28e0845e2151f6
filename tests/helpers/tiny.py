"""Small data and small networks, so that a whole run takes a fraction of a second."""

import copy
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.config import schema
from cnn_cli.data.outliers.pool import OutlierPool
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.errors import ExitCode
from cnn_cli.model.build import LayerSpec, build_network, initialize
from cnn_cli.model.network import network_for
from cnn_cli.training.datasets import TrainingData
from cnn_cli.training.device import Compute
from cnn_cli.training.loop import TrainingLoop
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.run import Listener, Run, RunResult
from cnn_cli.training.state import to_arrays

CPU = Compute(torch.device("cpu"), "float32", threads=1)
CLASSES = ("bar", "box", "dot")
SIZE = 8

PLAIN: list[LayerSpec] = [
    (
        "conv",
        {
            "out": 4,
            "kernel": (3, 3),
            "stride": (1, 1),
            "padding": "same",
            "dilation": (1, 1),
            "groups": 1,
            "bias": True,
        },
    ),
    ("relu", {}),
    ("pool", {"window": (2, 2), "kind": "max", "stride": None, "padding": (0, 0), "ceil": False}),
    (
        "conv",
        {
            "out": 4,
            "kernel": (3, 3),
            "stride": (1, 1),
            "padding": "valid",
            "dilation": (1, 1),
            "groups": 1,
            "bias": True,
        },
    ),
    ("tanh", {}),
    ("flatten", {}),
    ("linear", {"out": 3, "bias": True}),
]
"""A network without layers that depend on the batch: no normalization and no dropout."""

RICH: list[LayerSpec] = [
    *PLAIN[:1],
    ("norm", {"kind": "batch", "groups": 32, "eps": 1e-5}),
    *PLAIN[1:-1],
    ("dropout", {"p": 0.3}),
    ("linear", {"out": 3, "bias": True}),
]
"""The same network with batch normalization and dropout."""


def images(count: int, seed: int = 0, size: int = SIZE) -> LabeledImages:
    """Return images of a bar, a box or a dot somewhere on a noisy background; the classes alternate."""
    draws = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 120, (count, 1, size, size), generator=draws, dtype=torch.uint8)
    places = torch.randint(0, size - 3, (count, 2), generator=draws).tolist()
    labels = torch.arange(count) % 3
    for image, label, (top, left) in zip(images, labels.tolist(), places, strict=True):
        height, width = ((4, 1), (3, 3), (1, 1))[label]
        image[0, top : top + height, left : left + width] = 255
    return LabeledImages(images, labels)


def source(train: int = 90, test: int = 45, size: int = 28) -> Source:
    """Return a data set of bars, boxes and dots."""
    return Source("tiny", "tiny", CLASSES, lambda: images(train, 1, size), lambda: images(test, 2, size))


def loop(
    layers: list[LayerSpec] = PLAIN,
    *,
    train: LabeledImages | None = None,
    validation: LabeledImages | None = None,
    augment: schema.Augmentation | None = None,
    balance: bool = False,
    weights_of_classes: Tensor | None = None,
    seed: int = 0,
    compute: Compute = CPU,
    **settings,
) -> TrainingLoop:
    """Return a training loop over small images; `settings` go into the section `train` of the config."""
    train = images(50) if train is None else train
    validation = images(20, seed=1) if validation is None else validation
    network = build_network(layers, (1, SIZE, SIZE), len(CLASSES))
    initialize(network, seed)
    augment = augment or schema.Augmentation()
    return TrainingLoop(
        network,
        TrainingData(train, validation, augment, OutlierPool.empty(), balance, weights_of_classes),
        Preprocessing(SIZE, mean=(0.3,), std=(0.3,)),
        schema.Train(**({"epochs": 3, "batch_size": 16} | settings)),
        seed,
        compute,
    )


def config(**train) -> schema.Config:
    """Return the config of a small network on 28x28 images; the arguments go into its section `train`."""
    layers = [
        {"pool": {"window": 4, "kind": "avg"}},
        {"conv": {"out": 4, "kernel": 3}},
        {"norm": "batch"},
        "relu",
        "flatten",
        {"dropout": {"p": 0.2}},
        {"linear": 3},
    ]
    values = {
        "name": "tiny",
        "data": {"name": "mnist", "validation": 15, "augment": {"rotate": 5, "translate": 1}},
        "model": {"layers": layers},
        "train": {"epochs": 3, "batch_size": 16, "lr": 0.01, "device": "cpu", "precision": "float32"} | train,
    }
    return schema.Config.model_validate(values)


def never() -> None:
    """The `stop` of a run that is not stopped."""


def run(
    folder: RunFolder,
    data: Source | None = None,
    listen: Listener = lambda record: None,
    stop: Callable[[], ExitCode | None] = never,
    **train,
) -> RunResult:
    """Train a whole run on small images; `train` goes into the section `train` of the config."""
    return Run(config(**train), data or source(), CPU).execute(folder, listen, stop)


def train_until_killed(path: Path) -> None:
    """Start a run that is killed after its second epoch."""

    def listen(record: StepRecord | EpochRecord) -> None:
        if isinstance(record, EpochRecord) and record.epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    run(RunFolder(path), listen=listen)


def assert_same_result(folder: RunFolder, finished: RunResult) -> None:
    """Assert the same bytes of the checkpoint, and the same history except for its times."""
    assert folder.checkpoint.read_bytes() == finished.folder.checkpoint.read_bytes()
    assert history_of(folder) == history_of(finished.folder)
    assert folder.read_metrics()["test"] == finished.folder.read_metrics()["test"]


def history_of(folder: RunFolder) -> list[dict]:
    records = [json.loads(line) for line in folder.history.read_text().splitlines()]
    return [{k: v for k, v in r.items() if k not in ("seconds", "images_per_second")} for r in records]


def epochs_of(loop: TrainingLoop) -> list[EpochRecord]:
    return [record for record in loop.run() if isinstance(record, EpochRecord)]


def initial_weights(config: schema.Config, seed: int) -> dict[str, np.ndarray]:
    """Return the first weights of a config's network as a checkpoint stores them."""
    network = network_for(config, len(CLASSES))
    initialize(network, seed)
    return to_arrays(network.state_dict())


def weights(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


def equal(ours: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    assert list(ours) == list(others)
    return all(torch.equal(ours[name], others[name]) for name in ours)


def assert_close(ours: dict[str, Tensor], others: dict[str, Tensor], tolerance: float) -> None:
    for name, value in ours.items():
        torch.testing.assert_close(value, others[name], atol=tolerance, rtol=tolerance)
