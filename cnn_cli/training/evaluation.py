"""Evaluation: the logits of images, and the metrics of checkpoints on labeled images."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from cnn_cli.checkpoint.ensemble import check_reads_images, temperature_of
from cnn_cli.checkpoint.file import Checkpoint, not_finite
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.data.preprocess import network_input
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.errors import DataError
from cnn_cli.training.as_read import chooses_hypotheses, read_images
from cnn_cli.training.datasets import split_images
from cnn_cli.training.device import Compute
from cnn_cli.training.ensemble import predictor
from cnn_cli.training.metrics import Metrics, measure
from cnn_cli.training.process_group import SINGLE_PROCESS

BATCH_NUMBERS = 2**16
"""Numbers in one batch of inputs on a CPU. There are up to a hundred times as many activations. With this
batch size their memory is reused; with 2**20 it is mapped again for each batch, which halves the speed."""

GPU_FACTOR = 64
"""Factor of the batch size on a GPU, which would be idle between small batches: 5,000 images of MNIST."""

MIN_BATCH = 4
"""Lower limit of images in a batch, however large they are: each batch reads all weights."""


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one or several checkpoints on one split of a data set."""

    data: str
    is_fallback: bool
    split: str
    metrics: Metrics
    images: LabeledImages
    probabilities: Tensor
    """float64 [N, C], calibrated."""

    @property
    def accuracy(self) -> float:
        """Share of the images that are answered right, 0..1."""
        return self.metrics.accuracy

    @property
    def answers(self) -> Tensor:
        """The most likely class of each image, int64 [N]."""
        return self.probabilities.argmax(1)

    @property
    def correct(self) -> Tensor:
        """Which images are answered correctly, bool [N]."""
        return self.answers == self.images.labels

    def worst(self, count: int) -> Tensor:
        """Return indices int64 of up to `count` mistakes, the most confident first."""
        wrong = (~self.correct).nonzero().squeeze(1)
        return self.by_confidence(wrong, descending=True)[:count]

    def by_confidence(self, indices: Tensor, *, descending: bool) -> Tensor:
        """Return the indices int64 [n] of images in the order of the confidence of their answers."""
        confidence = self.probabilities.amax(1)[indices]
        return indices[confidence.argsort(descending=descending, stable=True)]


def evaluate(
    checkpoints: Sequence[Checkpoint], source: Source, split: str, compute: Compute, copies: int = 1
) -> Evaluation:
    """Evaluate checkpoints, as an ensemble if there are several, on a split of a source.

    Args:
        checkpoints: at least one.
        source: the labeled images.
        split: `test`, `train` or `validation`; the last two are those of the checkpoint's own run.
        compute: device and number format.
        copies: augmented copies of each image whose answers are averaged (test-time augmentation).

    Raises:
        DataError: the source has a class that the checkpoint lacks, the split is empty, or the checkpoints
            had different splits.
    """
    if split == "test" and source.files is not None and chooses_hypotheses(checkpoints):
        return evaluate_as_read(checkpoints, source, compute, copies)
    images = select_images(checkpoints, source, split)
    return evaluate_on(images, checkpoints, source, split, compute, copies)


def evaluate_as_read(
    checkpoints: Sequence[Checkpoint], source: Source, compute: Compute, copies: int = 1
) -> Evaluation:
    """Evaluate on the test images of your own data, which are read as `cnn predict` reads them.

    Raises:
        DataError: the source has a class that a checkpoint lacks, or an image cannot be read.
    """
    numbers, files = class_numbers(checkpoints, source), source.files
    assert files is not None
    labeled = (file._replace(label=numbers[file.label]) for file in files("test"))
    images, probabilities = read_images(checkpoints, labeled, source.skips_broken)
    if copies > 1:  # of what was read
        return evaluate_on(images, checkpoints, source, "test", compute, copies)
    temperature = temperature_of(checkpoints)
    logits = probabilities.clamp_min(torch.finfo(torch.float64).tiny).log() * temperature
    metrics = measure(logits, images.labels, checkpoints[0].classes, temperature)
    return Evaluation(source.name, source.is_fallback, "test", metrics, images, probabilities)


def evaluate_on(
    images: LabeledImages,
    checkpoints: Sequence[Checkpoint],
    source: Source,
    split: str,
    compute: Compute,
    copies: int = 1,
) -> Evaluation:
    """Evaluate checkpoints on images that `select_images` returned.

    Raises:
        DataError: the network computes no finite numbers.
    """
    combined = predictor(checkpoints, copies)
    network = combined.network.to(compute.device)
    logits = logits_of(network, images, combined.preprocessing, compute)
    if not logits.isfinite().all():
        raise not_finite(checkpoints[0])
    metrics = measure(logits, images.labels, checkpoints[0].classes, combined.temperature)
    probabilities = combined.probabilities(logits)
    return Evaluation(source.name, source.is_fallback, split, metrics, images, probabilities)


@torch.inference_mode()
def logits_of(
    network: nn.Module,
    images: LabeledImages,
    preprocessing: Preprocessing,
    compute: Compute,
    check: Callable[[], None] = lambda: None,
) -> Tensor:
    """Return logits float32 [N, C] on the CPU, in the order of the images; several processes share the work.

    No image is dropped or counted twice. The network computes in evaluation mode, then its mode is restored.
    `check` is called before each batch; it may raise an error to stop the evaluation.
    """
    was_training = network.training
    network.eval()
    can_share = len(images) >= compute.processes.count
    processes = compute.processes if can_share else SINGLE_PROCESS
    outputs = []
    for indices in torch.split(
        processes.share(torch.arange(len(images))), batch_size(preprocessing, compute)
    ):
        check()
        batch = images.take(slice(int(indices[0]), int(indices[-1]) + 1)).to(compute.device)
        inputs = network_input(batch, preprocessing)
        with compute.autocast():
            outputs.append(network(inputs).float())
    network.train(was_training)
    return processes.gather(torch.cat(outputs).cpu(), len(images))


def batch_size(preprocessing: Preprocessing, compute: Compute) -> int:
    """Return how many images a batch of an evaluation has."""
    numbers = BATCH_NUMBERS * (1 if compute.device.type == "cpu" else GPU_FACTOR)
    return max(MIN_BATCH, numbers // math.prod(preprocessing.input_shape))


def select_images(checkpoints: Sequence[Checkpoint], source: Source, split: str) -> LabeledImages:
    """Return the images of a split of a source, which is the same for all checkpoints.

    Raises:
        DataError: the source has a class that a checkpoint lacks, the split is empty, or the checkpoints had
            different splits.
    """
    numbers = class_numbers(checkpoints, source)
    images = _images(checkpoints, source, split)
    if not len(images):
        raise DataError(f"the {split} split of {source.name} is empty")
    return replace(images, labels=torch.tensor(numbers)[images.labels])


def class_numbers(checkpoints: Sequence[Checkpoint], source: Source) -> list[int]:
    """Return the number of each class of the source among the classes of the checkpoints, by its name.

    Raises:
        DataError: a class of the source is none of theirs.
    """
    for checkpoint in checkpoints:
        check_reads_images(checkpoint)
        unknown = [name for name in source.classes if name not in checkpoint.classes]
        if unknown:
            raise DataError(
                f"{source.name} has the classes {', '.join(source.classes)}, "
                f"but {checkpoint.path or 'the checkpoint'} has {', '.join(checkpoint.classes)}"
            )
    return [checkpoints[0].classes.index(name) for name in source.classes]


def _images(checkpoints: Sequence[Checkpoint], source: Source, split: str) -> LabeledImages:
    if split == "test":
        return source.test()
    cuts = {(checkpoint.config.seed, checkpoint.config.data.validation) for checkpoint in checkpoints}
    if len(cuts) > 1:
        raise DataError(
            f"the checkpoints held out different images: they share no {split} split",
            hint="evaluate one of them, or all on the test split",
        )
    train, validation = split_images(checkpoints[0].config, source)
    return train if split == "train" else validation
