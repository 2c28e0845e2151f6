"""Labels that look wrong, in all splits of a data set: by cross-validation or by trained networks."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.config.schema import Config
from cnn_cli.data.source import LabeledImages, Source
from cnn_cli.errors import DataError
from cnn_cli.training.calibration import fit_temperature
from cnn_cli.training.confident import MIN_IMAGES, find_suspects
from cnn_cli.training.crossval import Report, cross_validated_logits
from cnn_cli.training.device import Compute
from cnn_cli.training.ensemble import predictor
from cnn_cli.training.evaluation import logits_of


@dataclass(frozen=True)
class Suspect:
    """An image whose label looks wrong."""

    path: str
    """The image's file, or its split and number where it has none."""
    split: str
    label: str
    """The label that it has."""
    suggested: str
    """The label that it looks like."""
    confidence: float
    """The probability of that label, 0..1."""
    index: int
    """Its place among all images."""


@dataclass(frozen=True)
class LabelCheck:
    """What a check of labels found."""

    images: LabeledImages
    """The images of all splits."""
    suspects: tuple[Suspect, ...]
    """The most certain first."""
    too_few: tuple[str, ...]
    """Classes with too few images to be checked."""


def check_by_cross_validation(source: Source, config: Config, compute: Compute, report: Report) -> LabelCheck:
    """Check each label by a network that was trained on other images; arguments as `cross_validated_logits`.

    The temperature is fitted on the labels as they are: a few wrong ones lower the confidence a little.
    """
    images = _all_images(source)
    logits = cross_validated_logits(images, source, config, compute, report)
    temperature = fit_temperature(logits, images.labels)
    probabilities = torch.softmax(logits.double() / temperature, 1)
    return _result(source, images, probabilities, images.labels, source.classes)


def check_by_networks(source: Source, checkpoints: Sequence[Checkpoint], compute: Compute) -> LabelCheck:
    """Check each label by networks that were not trained on these images.

    Args:
        source: the images, in the format of the networks' inputs.
        checkpoints: one, or several whose probabilities are averaged.
        compute: device and number format.

    Raises:
        DataError: the networks lack a class of the source.
    """
    classes = checkpoints[0].classes
    unknown = [name for name in source.classes if name not in classes]
    if unknown:
        raise DataError(
            f"{source.name} has the class {unknown[0]}, but the network has {', '.join(classes)}",
            hint="check the labels by cross-validation: leave --with out",
        )
    combined, images = predictor(checkpoints), _all_images(source)
    logits = logits_of(combined.network.to(compute.device), images, combined.preprocessing, compute)
    labels = torch.tensor([classes.index(name) for name in source.classes])[images.labels]
    return _result(source, images, combined.probabilities(logits), labels, classes)


def _result(
    source: Source, images: LabeledImages, probabilities: Tensor, labels: Tensor, classes: Sequence[str]
) -> LabelCheck:
    places = [(split, name) for split in source.splits for name in source.names_of(split)]
    found = find_suspects(probabilities.numpy(), labels.numpy())
    suspects = tuple(
        Suspect(
            path=places[index][1],
            split=places[index][0],
            label=classes[int(labels[index])],
            suggested=classes[suggested],
            confidence=confidence,
            index=index,
        )
        for index, suggested, confidence in zip(*(values.tolist() for values in found), strict=True)
    )
    counts = torch.bincount(images.labels, minlength=len(source.classes)).tolist()
    too_few = [name for name, count in zip(source.classes, counts, strict=True) if count < MIN_IMAGES]
    return LabelCheck(images, suspects, tuple(too_few))


def _all_images(source: Source) -> LabeledImages:
    """Return the images of all splits; those that share a store are not copied."""
    parts = [load() for load in source.splits.values()]
    labels = torch.cat([part.labels for part in parts])
    rows = [part.rows for part in parts if part.rows is not None]
    if len(rows) == len(parts) and all(part.store is parts[0].store for part in parts):
        return LabeledImages(parts[0].store, labels, torch.cat(rows))
    return LabeledImages(torch.cat([part.take(slice(None)) for part in parts]), labels)
