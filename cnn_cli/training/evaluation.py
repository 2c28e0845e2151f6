"""Evaluation: the logits of images, and the metrics of checkpoints on labeled images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.data.preprocess import network_input
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.errors import DataError
from cnn_cli.training.datasets import split_images
from cnn_cli.training.device import Compute
from cnn_cli.training.ensemble import predictor
from cnn_cli.training.metrics import Metrics, measure
from cnn_cli.training.process_group import SINGLE_PROCESS

BATCH_NUMBERS = 2**16
"""Numbers in one batch of inputs on a CPU. There are up to a hundred times as many activations. With this
batch size their memory is reused; with 2**20 it is mapped again for each batch, which halves the speed."""

GPU_FACTOR = 16
"""Factor of the batch size on a GPU, which would be idle between small batches."""

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

    def worst(self, count: int) -> Tensor:
        """Return indices int64 of up to `count` mistakes, the most confident first."""
        confidence, predicted = self.probabilities.max(1)
        wrong = (predicted != self.images.labels).nonzero().squeeze(1)
        return wrong[confidence[wrong].argsort(descending=True, stable=True)][:count]


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
        DataError: the source has other classes than the checkpoint, the split is empty, or the checkpoints
            had different splits.
    """
    first = checkpoints[0]
    if source.classes != first.classes:
        raise DataError(
            f"{source.name} has the classes {', '.join(source.classes)}, "
            f"but the checkpoint has {', '.join(first.classes)}"
        )
    images = _images(checkpoints, source, split)
    if not len(images):
        raise DataError(f"the {split} split of {source.name} is empty")
    combined = predictor(checkpoints, copies)
    network = combined.network.to(compute.device)
    logits = logits_of(network, images, combined.preprocessing, compute)
    metrics = measure(logits, images.labels, source.classes, combined.temperature)
    probabilities = combined.probabilities(logits)
    return Evaluation(source.name, source.is_fallback, split, metrics, images, probabilities)


@torch.inference_mode()
def logits_of(
    network: nn.Module, images: LabeledImages, preprocessing: Preprocessing, compute: Compute
) -> Tensor:
    """Return logits float32 [N, C] on the CPU, in the order of the images; several processes share the work.

    No image is dropped or counted twice. The network computes in evaluation mode, then its mode is restored.
    """
    was_training = network.training
    network.eval()
    numbers = BATCH_NUMBERS * (1 if compute.device.type == "cpu" else GPU_FACTOR)
    batch_size = max(MIN_BATCH, numbers // (preprocessing.channels * preprocessing.size**2))
    can_share = len(images) >= compute.processes.count
    processes = compute.processes if can_share else SINGLE_PROCESS
    outputs = []
    for indices in torch.split(processes.share(torch.arange(len(images))), batch_size):
        batch = images.take(slice(int(indices[0]), int(indices[-1]) + 1)).to(compute.device)
        inputs = network_input(batch, preprocessing)
        with compute.autocast():
            outputs.append(network(inputs).float())
    network.train(was_training)
    return processes.gather(torch.cat(outputs).cpu(), len(images))


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
