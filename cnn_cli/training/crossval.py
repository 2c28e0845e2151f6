"""Cross-validation: what networks answer to images that they were not trained on, for all images of a set."""

from collections.abc import Callable

import torch
from torch import Tensor

from cnn_cli.config.schema import Config
from cnn_cli.data.outliers.pool import OutlierPool
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.model.build import initialize
from cnn_cli.model.network import network_for
from cnn_cli.training.datasets import TrainingData, measured_preprocessing
from cnn_cli.training.device import Compute
from cnn_cli.training.evaluation import logits_of
from cnn_cli.training.loop import TrainingLoop
from cnn_cli.training.records import StepRecord
from cnn_cli.training.seeds import derive, generator

FOLDS = 5
"""Number of networks, each trained on all images but a fifth."""

Report = Callable[[int, int, int], None]
"""Called with the number of the fold from 1, the steps that are done in it, and all its steps."""


def cross_validated_logits(
    images: LabeledImages, source: Source, config: Config, compute: Compute, report: Report
) -> Tensor:
    """Return logits float32 [N, C] of each image, of the network that was not trained on it.

    Args:
        images: all images; each class is spread evenly over the folds.
        source: where they are from.
        config: the network and its training, for the same classes.
        compute: device and number format.
        report: called with the progress.
    """
    fold_of = folds(images.labels, FOLDS, config.seed)
    logits = torch.empty(len(images), len(source.classes))
    for fold in range(FOLDS):
        held_out = fold_of == fold
        loop = _loop(images.subset((~held_out).nonzero().squeeze(1)), fold, source, config, compute)
        steps = loop.steps_per_epoch * config.train.epochs
        for record in loop.run():
            if isinstance(record, StepRecord):
                report(fold + 1, loop.step, steps)
        rest = images.subset(held_out.nonzero().squeeze(1))
        logits[held_out] = logits_of(loop.evaluated_network, rest, loop.preprocessing, compute)
    return logits


def folds(labels: Tensor, count: int, seed: int) -> Tensor:
    """Return the fold of each image, int64 [N] from 0: of each class, equally many in each to within one."""
    places = torch.randperm(len(labels), generator=generator(seed, "folds"))
    by_class = places[labels[places].argsort(stable=True)]
    fold_of = torch.empty_like(labels)
    fold_of[by_class] = torch.arange(len(labels)) % count
    return fold_of


def _loop(train: LabeledImages, fold: int, source: Source, config: Config, compute: Compute) -> TrainingLoop:
    """Return the training of one fold's network, without validation: its last weights count."""
    network = network_for(config, len(source.classes))
    initialize(network, derive(config.seed, "weights", fold))
    none = train.subset(torch.empty(0, dtype=torch.int64))
    data = TrainingData(train, none, config.data.augment, OutlierPool.empty())
    preprocessing = measured_preprocessing(config, source, train)
    return TrainingLoop(
        network, data, preprocessing, config.train, derive(config.seed, "fold", fold), compute
    )
