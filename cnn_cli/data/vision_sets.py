"""The sets that torchvision reads: USPS, SVHN and CIFAR-10.

This module only describes them: the names of their classes in torchvision, their files, and the conversion to
images. `data.vision` finds, fetches and verifies them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cnn_cli.config.choices import PreprocessingKind
from cnn_cli.data.source import DIGITS, LabeledImages

SIDE, BOX = 28, 20
"""Pixels of an MNIST image's side, and of the square into which its digit was fitted."""


@dataclass(frozen=True)
class Split:
    """The training or the test images of a set.

    Args:
        arguments: of torchvision's class, to read them.
        files: the files that it then reads, below the root.
    """

    arguments: Mapping[str, object]
    files: tuple[str, ...]


@dataclass(frozen=True)
class VisionSet:
    """A data set as it was published.

    Args:
        kind: the name of its class in `torchvision.datasets`.
        classes: the class names.
        train: its training images.
        test: its test images.
        archives: the files on its web site, below the root.
        images: converts an object of torchvision's class to images.
        sums: returns the MD5 sum of each of `files` from torchvision's class.
        downloads: returns the address and the MD5 sum of each of `archives` from torchvision's class.
        sha256: of those archives for which others publish it: Keras for CIFAR-10, torchvision's prototypes
            for SVHN. Of USPS no such sum is known.
        preprocessing: what is done to an image before a network reads it.
        needs: modules that torchvision reads the set with but does not depend on.
    """

    kind: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    archives: tuple[str, ...]
    images: Callable[[Any], LabeledImages]
    sums: Callable[[Any], Mapping[str, str]]
    downloads: Callable[[Any], Mapping[str, tuple[str, str]]]
    sha256: Mapping[str, str] = field(default_factory=dict)
    preprocessing: PreprocessingKind = "digit"
    needs: tuple[str, ...] = ()

    @property
    def splits(self) -> dict[str, Split]:
        """Both splits by name."""
        return {"train": self.train, "test": self.test}

    @property
    def files(self) -> tuple[str, ...]:
        """The files of both splits, each once."""
        return tuple(dict.fromkeys(self.train.files + self.test.files))

    @property
    def folder(self) -> PurePosixPath:
        """The folder of the archives, below the root."""
        return PurePosixPath(self.archives[0]).parent


def _usps(data: Any) -> LabeledImages:
    """Convert digits of 16x16 that fill their image: into a box of 20x20, centered by mass, as MNIST's."""
    small = torch.from_numpy(data.data).unsqueeze(1).float()  # [N, 1, 16, 16]
    fitted = F.interpolate(small, (BOX, BOX), mode="bilinear", antialias=True).round_().to(torch.uint8)
    return LabeledImages(_centered(fitted), torch.tensor(data.targets))


def _svhn(data: Any) -> LabeledImages:
    """Convert color images uint8 [N, 3, 32, 32]; torchvision has replaced the label 10 by 0."""
    return LabeledImages(torch.from_numpy(np.ascontiguousarray(data.data)), torch.from_numpy(data.labels))


def _cifar(data: Any) -> LabeledImages:
    """Convert color images; torchvision has the channels last, as Pillow needs them."""
    channels_first = np.ascontiguousarray(data.data.transpose(0, 3, 1, 2))  # [N, 3, 32, 32]
    return LabeledImages(torch.from_numpy(channels_first), torch.tensor(data.targets))


def _centered(digits: Tensor) -> Tensor:
    """Put digits uint8 [N, 1, n, n] on background [N, 1, 28, 28].

    The center of mass is on pixel 14, as in `image.fit`.
    """
    count, side = len(digits), digits.shape[-1]
    steps = torch.arange(side)
    mass = digits[:, 0].double()
    total = mass.sum((1, 2)).clamp(min=1)

    def offset(along: int) -> Tensor:
        """Return the rows or columns of background before each digit, int64 [N, 1]; no ink is cut off."""
        center = (mass.sum(along) * steps).sum(1) / total
        return (SIDE / 2 - center).round().clamp(0, SIDE - side).long().unsqueeze(1)

    rows, columns = offset(2) + steps, offset(1) + steps  # [N, n]: the new place of each row and column
    background = torch.zeros(count, 1, SIDE, SIDE, dtype=torch.uint8)
    background[torch.arange(count)[:, None, None], 0, rows[:, :, None], columns[:, None, :]] = digits[:, 0]
    return background


CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def _usps_set() -> VisionSet:
    train, test = Split({"train": True}, ("usps.bz2",)), Split({"train": False}, ("usps.t.bz2",))
    archives = train.files + test.files
    return VisionSet("USPS", DIGITS, train, test, archives, _usps, _sums_of_splits, _downloads_of_splits)


def _svhn_set() -> VisionSet:
    """Return cropped house numbers (Netzer et al. 2011), without the 531,131 easier ones of `extra`."""
    train, test = (Split({"split": name}, (f"{name}_32x32.mat",)) for name in ("train", "test"))
    sha256 = {
        "train_32x32.mat": "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        "test_32x32.mat": "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
    }
    return VisionSet(
        *(
            "SVHN",
            DIGITS,
            train,
            test,
            train.files + test.files,
            _svhn,
            _sums_of_splits,
            _downloads_of_splits,
        ),
        sha256=sha256,
        preprocessing="photo",
        needs=("scipy.io",),
    )


def _sums_of_splits(kind: Any) -> Mapping[str, str]:
    return {file: md5 for _, file, md5 in kind.split_list.values()}


def _downloads_of_splits(kind: Any) -> Mapping[str, tuple[str, str]]:
    return {file: (url, md5) for url, file, md5 in kind.split_list.values()}


def _cifar10_set() -> VisionSet:
    folder = "cifar-10-batches-py"
    batches = tuple(f"{folder}/data_batch_{number}" for number in range(1, 6))
    train = Split({"train": True}, (*batches, f"{folder}/batches.meta"))
    test = Split({"train": False}, (f"{folder}/test_batch", f"{folder}/batches.meta"))
    archives = ("cifar-10-python.tar.gz",)
    return VisionSet(
        *("CIFAR10", CIFAR10, train, test, archives, _cifar, _sums_of_batches),
        downloads=lambda kind: {kind.filename: (kind.url, kind.tgz_md5)},
        sha256={archives[0]: "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"},
        preprocessing="photo",
    )


def _sums_of_batches(kind: Any) -> Mapping[str, str]:
    known = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    return {f"{kind.base_folder}/{file}": md5 for file, md5 in known}


VISION_SETS: dict[str, VisionSet] = {
    "usps": _usps_set(),
    "svhn": _svhn_set(),
    "cifar10": _cifar10_set(),
}
"""The sets by the names that a config uses."""
