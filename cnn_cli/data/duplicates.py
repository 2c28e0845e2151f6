"""Images that are in a data set several times: equal pixels, whatever their files are named."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from cnn_cli.data.source import LabeledImages

CHUNK = 1024
"""Images that are read at once."""


class Copy(NamedTuple):
    """One of several images with the same pixels."""

    split: str
    place: int
    """Its place in the split."""
    label: int


def find_duplicates(splits: Mapping[str, LabeledImages]) -> list[list[Copy]]:
    """Return the groups of images whose decoded pixels are equal, in the order of their first images.

    Args:
        splits: the images of each split by its name, all of one shape.
    """
    groups: dict[bytes, list[Copy]] = {}
    for split, images in splits.items():
        labels = images.labels.tolist()
        for place, digest in enumerate(_digests(images)):
            groups.setdefault(digest, []).append(Copy(split, place, labels[place]))
    return [group for group in groups.values() if len(group) > 1]


def _digests(images: LabeledImages) -> list[bytes]:
    """Return the SHA-256 of the pixels of each image."""
    digests: list[bytes] = []
    for chunk in torch.split(torch.arange(len(images)), CHUNK):
        digests += map(_digest, images.take(chunk))
    return digests


def _digest(pixels: Tensor) -> bytes:
    return hashlib.sha256(pixels.numpy().tobytes()).digest()
