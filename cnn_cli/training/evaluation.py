"""Evaluation: the logits of every image, and the figures of checkpoints on labeled images."""

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
"""Numbers in one batch of inputs on a CPU. The activations are up to a hundred times as many, and with this
batch they stay in memory that is reused; with 2**20 it is mapped again for each batch, at half the speed."""

GPU_FACTOR = 16
"""Factor of the batch size on a GPU, which idles between small batches."""

MIN_BATCH = 4
"""Images in a batch, however large they are: the weights are read once for all of them."""


@dataclass(frozen=True)
class Evaluation:
    """The figures of one or several checkpoints on one split of one data set."""

    data: str
    is_fallback: bool
    split: str
    metrics: Metrics
    images: LabeledImages
    probabilities: Tensor
    """float64 [N, C], calibrated."""

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
        split: `test`, or `train` and `validation`: the images that the checkpoint's own run trained on and held
            out.
        compute: device and number format.
        copies: augmented copies of each image whose answers are averaged (test-time augmentation).

    Raises:
        DataError: the source has other classes than the checkpoint, the split is empty, or the checkpoints do
            not share it.
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

    No image is padded and none is dropped. The network runs in evaluation mode and then returns to the mode that
    it was in.
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
    return processes.gathered(torch.cat(outputs).cpu(), len(images))


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
