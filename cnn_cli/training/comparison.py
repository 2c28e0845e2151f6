"""The comparison of two checkpoints on the same images: who is right where, and what each costs."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.config.differences import Difference, config_differences
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.errors import DataError
from cnn_cli.model.network import input_shape, network_for
from cnn_cli.model.summary import summarize
from cnn_cli.training.as_read import chooses_hypotheses
from cnn_cli.training.device import Compute
from cnn_cli.training.ensemble import predictor
from cnn_cli.training.evaluation import (
    Evaluation,
    batch_size,
    evaluate_as_read,
    evaluate_on,
    logits_of,
    select_images,
)
from cnn_cli.training.paired import PairedCounts

REPEATS = 7
"""Measurements of the time of a batch; the quickest counts, since other programs only make it slower."""


@dataclass(frozen=True)
class Cost:
    """What the answer to one image costs."""

    parameters: int
    multiply_adds: int
    seconds: float
    """For one image in a batch, with its preprocessing."""


@dataclass(frozen=True)
class Comparison:
    """Two checkpoints, A and B, on the same images."""

    a: Evaluation
    b: Evaluation
    counts: PairedCounts
    costs: tuple[Cost, Cost]
    config: list[Difference]
    """Where the configs of the two trainings differ, apart from `output`."""

    def only_a(self, count: int) -> Tensor:
        """Return indices int64 of up to `count` images that only A answers correctly, B's worst first."""
        only = (self.a.correct & ~self.b.correct).nonzero().squeeze(1)
        return self.b.by_confidence(only, descending=True)[:count]

    def only_b(self, count: int) -> Tensor:
        """Return indices int64 of up to `count` images that only B answers correctly, A's worst first."""
        only = (self.b.correct & ~self.a.correct).nonzero().squeeze(1)
        return self.a.by_confidence(only, descending=True)[:count]


def compare(a: Checkpoint, b: Checkpoint, source: Source, split: str, compute: Compute) -> Comparison:
    """Compare two checkpoints on a split of a source.

    Args:
        a: the checkpoint that the other one is compared with.
        b: the other one.
        source: the labeled images.
        split: `test`, `train` or `validation`; the last two must be the same for both runs.
        compute: device and number format.

    Raises:
        DataError: the source has a class that a checkpoint lacks, the split is empty, or the checkpoints had
            different splits.
    """
    if split == "test" and source.files is not None and _read_differently(a, b):
        of_a, of_b = (evaluate_as_read([checkpoint], source, compute) for checkpoint in (a, b))
    else:
        images = select_images([a, b], source, split)
        of_a, of_b = (evaluate_on(images, [checkpoint], source, split, compute) for checkpoint in (a, b))
    if not torch.equal(of_a.images.labels, of_b.images.labels):
        raise DataError(
            f"{source.name}: not the same images can be read by both", hint="remove broken images"
        )
    return Comparison(
        of_a,
        of_b,
        counts=count_pairs(of_a.correct, of_b.correct),
        costs=measure_costs(a, b, of_a.images, compute),
        config=config_differences(a.config, b.config, leave_out={"output"}),
    )


def _read_differently(a: Checkpoint, b: Checkpoint) -> bool:
    """Return whether the two networks do not read the same pixels of your own images."""
    formats = [(each.preprocessing.kind, each.preprocessing.input_shape) for each in (a, b)]
    return formats[0] != formats[1] or chooses_hypotheses([a]) or chooses_hypotheses([b])


def count_pairs(a: Tensor, b: Tensor) -> PairedCounts:
    """Return the counts of two answers to the same images, bool [N]: which of them are correct."""
    cells = torch.bincount(2 * a.long() + b.long(), minlength=4).tolist()
    neither, only_b, only_a, both = cells
    return PairedCounts(both, only_a, only_b, neither)


def measure_costs(a: Checkpoint, b: Checkpoint, images: LabeledImages, compute: Compute) -> tuple[Cost, Cost]:
    """Return what both cost. Their times are measured in turns, so that both meet the same machine."""
    timers = [_Timer(checkpoint, images, compute) for checkpoint in (a, b)]
    rounds = [[timer.seconds() for timer in timers] for _ in range(REPEATS)]
    of_a, of_b = map(min, zip(*rounds, strict=True))
    return _cost(a, of_a), _cost(b, of_b)


class _Timer:
    """The time that a checkpoint takes for one image of a batch."""

    def __init__(self, checkpoint: Checkpoint, images: LabeledImages, compute: Compute) -> None:
        self.predictor, self.compute = predictor([checkpoint]), compute
        self.predictor.network.to(compute.device)
        count = min(len(images), batch_size(self.predictor.preprocessing, compute))
        self.batch = images.subset(torch.arange(count))
        self.seconds()  # memory and kernels are chosen in the first pass

    def seconds(self) -> float:
        """Return the seconds for one image, once."""
        start = time.perf_counter()
        logits_of(self.predictor.network, self.batch, self.predictor.preprocessing, self.compute)
        return (time.perf_counter() - start) / len(self.batch)


def _cost(checkpoint: Checkpoint, seconds: float) -> Cost:
    network = network_for(checkpoint.config, len(checkpoint.classes))
    summary = summarize(network, input_shape(checkpoint.config))
    return Cost(summary.parameters, summary.multiply_adds, seconds)
