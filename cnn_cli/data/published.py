"""Published data sets that torchvision reads: what each is called there, its files, and its images here.

`data.vision` finds, fetches and proves them; this file only says what they are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from string import ascii_uppercase
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
        arguments: what torchvision's class is told, to read them.
        files: what it reads then, below the root.
    """

    arguments: Mapping[str, object]
    files: tuple[str, ...]


@dataclass(frozen=True)
class PublishedSet:
    """A data set as it was published.

    Args:
        kind: the name of its class in `torchvision.datasets`.
        classes: the class names.
        train: its training images.
        test: its test images.
        archives: the files on its web site, below the root. torchvision proves each by its MD5.
        images: from an object of torchvision's class to images.
        preprocessing: what is done to an image before a network reads it.
        sums: from torchvision's class to the MD5 sums of `files`; empty where it knows only the archives'.
        needs: modules that torchvision reads it with but does not depend on.
    """

    kind: str
    classes: tuple[str, ...]
    train: Split
    test: Split
    archives: tuple[str, ...]
    images: Callable[[Any], LabeledImages]
    preprocessing: PreprocessingKind = "digit"
    sums: Callable[[Any], Mapping[str, str]] = field(default=lambda _: {})
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
        """Where the archives lie below the root."""
        return PurePosixPath(self.archives[0]).parent


def _gray(data: Any) -> LabeledImages:
    """MNIST's own shape: a tensor uint8 [N, 28, 28], white on black, and int64 labels."""
    return LabeledImages(data.data.unsqueeze(1), data.targets)


def _emnist(data: Any, first: int = 0) -> LabeledImages:
    """EMNIST's images lie transposed in its files: rows and columns change places."""
    return LabeledImages(data.data.transpose(1, 2).contiguous().unsqueeze(1), data.targets - first)


def _emnist_letters(data: Any) -> LabeledImages:
    """The only labels that are counted from 1; torchvision calls its class 0 "N/A"."""
    return _emnist(data, first=1)


def _qmnist(data: Any) -> LabeledImages:
    """A label is a row of eight numbers: the digit, then who wrote it and where NIST has it."""
    return LabeledImages(data.data.unsqueeze(1), data.targets[:, 0].contiguous())


def _usps(data: Any) -> LabeledImages:
    """Digits of 16x16 that fill their image, brought to MNIST's: in a box of 20x20, centered by mass."""
    small = torch.from_numpy(data.data).unsqueeze(1).float()  # [N, 1, 16, 16]
    fitted = F.interpolate(small, (BOX, BOX), mode="bilinear", antialias=True).round_().to(torch.uint8)
    return LabeledImages(_centered(fitted), torch.tensor(data.targets))


def _svhn(data: Any) -> LabeledImages:
    """Color, uint8 [N, 3, 32, 32]; torchvision has turned the label 10 into 0."""
    return LabeledImages(torch.from_numpy(np.ascontiguousarray(data.data)), torch.from_numpy(data.labels))


def _cifar(data: Any) -> LabeledImages:
    """Color; torchvision has the channels last, as Pillow wants them."""
    channels_first = np.ascontiguousarray(data.data.transpose(0, 3, 1, 2))  # [N, 3, 32, 32]
    return LabeledImages(torch.from_numpy(channels_first), torch.tensor(data.targets))


def _centered(digits: Tensor) -> Tensor:
    """Digits uint8 [N, 1, n, n] on paper [N, 1, 28, 28], center of mass on pixel 14 as `image.fit` has it."""
    count, side = len(digits), digits.shape[-1]
    steps = torch.arange(side)
    mass = digits[:, 0].double()
    total = mass.sum((1, 2)).clamp(min=1)

    def offset(along: int) -> Tensor:
        """Rows or columns of paper before each digit, int64 [N, 1]; no ink falls off the edge."""
        center = (mass.sum(along) * steps).sum(1) / total
        return (SIDE / 2 - center).round().clamp(0, SIDE - side).long().unsqueeze(1)

    rows, columns = offset(2) + steps, offset(1) + steps  # [N, n]: where each row and column goes
    paper = torch.zeros(count, 1, SIDE, SIDE, dtype=torch.uint8)
    paper[torch.arange(count)[:, None, None], 0, rows[:, :, None], columns[:, None, :]] = digits[:, 0]
    return paper


FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
LETTERS = tuple(f"{letter}/{letter.lower()}" for letter in ascii_uppercase)
"""EMNIST's `letters` has the capital and the small letter in one class, which the name says."""


def _idx_files(kind: str, name: str, labels: str = "labels-idx1-ubyte") -> tuple[str, ...]:
    """Images and labels of a split, in the layout of MNIST."""
    return f"{kind}/raw/{name}-images-idx3-ubyte", f"{kind}/raw/{name}-{labels}"


def _like_mnist(
    kind: str, classes: tuple[str, ...], preprocessing: PreprocessingKind = "digit"
) -> PublishedSet:
    train = Split({"train": True}, _idx_files(kind, "train"))
    test = Split({"train": False}, _idx_files(kind, "t10k"))
    archives = tuple(f"{file}.gz" for file in train.files + test.files)
    return PublishedSet(kind, classes, train, test, archives, _gray, preprocessing)


def _part_of_emnist(
    part: str, classes: tuple[str, ...], images: Callable[[Any], LabeledImages]
) -> PublishedSet:
    train, test = (
        Split({"split": part, "train": name == "train"}, _idx_files("EMNIST", f"emnist-{part}-{name}"))
        for name in ("train", "test")
    )
    return PublishedSet("EMNIST", classes, train, test, ("EMNIST/raw/gzip.zip",), images)


def _qmnist_set() -> PublishedSet:
    """All 60,000 test images that Yadav and Bottou 2019 found again; MNIST's 10,000 are their first."""
    train, test = (
        Split({"what": name}, _idx_files("QMNIST", f"qmnist-{name}", "labels-idx2-int"))
        for name in ("train", "test")
    )
    archives = tuple(f"{file}.gz" for file in train.files + test.files)
    return PublishedSet("QMNIST", DIGITS, train, test, archives, _qmnist)


def _usps_set() -> PublishedSet:
    train, test = Split({"train": True}, ("usps.bz2",)), Split({"train": False}, ("usps.t.bz2",))
    return PublishedSet("USPS", DIGITS, train, test, train.files + test.files, _usps, sums=_sums_of_splits)


def _svhn_set() -> PublishedSet:
    """Cropped house numbers (Netzer et al. 2011), without the 531,131 easier ones of `extra`."""
    train, test = (Split({"split": name}, (f"{name}_32x32.mat",)) for name in ("train", "test"))
    archives = train.files + test.files
    needs = ("scipy.io",)
    return PublishedSet("SVHN", DIGITS, train, test, archives, _svhn, "photo", _sums_of_splits, needs)


def _sums_of_splits(kind: Any) -> Mapping[str, str]:
    return {file: md5 for _, file, md5 in kind.split_list.values()}


def _cifar10_set() -> PublishedSet:
    folder = "cifar-10-batches-py"
    batches = tuple(f"{folder}/data_batch_{number}" for number in range(1, 6))
    train = Split({"train": True}, (*batches, f"{folder}/batches.meta"))
    test = Split({"train": False}, (f"{folder}/test_batch", f"{folder}/batches.meta"))
    archives = ("cifar-10-python.tar.gz",)
    return PublishedSet("CIFAR10", CIFAR10, train, test, archives, _cifar, "photo", _sums_of_batches)


def _sums_of_batches(kind: Any) -> Mapping[str, str]:
    known = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    return {f"{kind.base_folder}/{file}": md5 for file, md5 in known}


SETS: dict[str, PublishedSet] = {
    # Clothes fill the image and their shades matter, so nothing is looked for in it: an image is read as
    # it is, and must look like the set's, bright on black.
    "fashion-mnist": _like_mnist("FashionMNIST", FASHION, "photo"),
    "kmnist": _like_mnist("KMNIST", KUZUSHIJI),
    "emnist-digits": _part_of_emnist("digits", DIGITS, _emnist),
    "emnist-letters": _part_of_emnist("letters", LETTERS, _emnist_letters),
    "qmnist": _qmnist_set(),
    "usps": _usps_set(),
    "svhn": _svhn_set(),
    "cifar10": _cifar10_set(),
}
"""By the names that a config uses."""
