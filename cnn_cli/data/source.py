"""Labeled images, and data sources, which provide them."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from cnn_cli.config.choices import PreprocessingKind
from cnn_cli.config.schema import Data
from cnn_cli.data.download import Progress
from cnn_cli.data.send import send
from cnn_cli.data.transfer import LIMITS, Limits
from cnn_cli.data.verify import DamagedError
from cnn_cli.errors import DataError
from cnn_cli.image.pages import ImageFile
from cnn_cli.user_folders import expanded, user_cache

DIGITS = tuple("0123456789")
"""The classes of every set of digits. A fallback must have the classes of the set that it replaces."""


@dataclass(frozen=True)
class LabeledImages:
    """Labeled images, all or some of a store that may be larger than memory.

    Args:
        store: uint8 [M, C, H, W], 0 = background, 255 = ink (or black and white); it may be a mapped file.
        labels: int64 [N], indices into the source's classes; for lines the texts, int64 [N, L], each of which
            ends at the first -1.
        rows: int64 [N], the index of each image in the store; None: all of the store, in its order.

    Raises:
        DataError: the parts do not fit together.
    """

    store: Tensor
    labels: Tensor
    rows: Tensor | None = None

    def __post_init__(self) -> None:
        """Check types and lengths here, where their origin is still known."""
        if self.store.dtype != torch.uint8 or self.store.ndim != 4:
            raise DataError(f"images are uint8 [N, C, H, W], not {_describe(self.store)}")
        if self.labels.dtype != torch.int64 or self.labels.ndim not in (1, 2):
            raise DataError(f"labels are int64 [N] or [N, L], not {_describe(self.labels)}")
        count = len(self.store if self.rows is None else self.rows)
        if count != len(self.labels):
            raise DataError(f"{count:,} images, but {len(self.labels):,} labels")

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def take(self, indices: Tensor | slice) -> Tensor:
        """Return the images at `indices`, uint8 [n, C, H, W], on the device of the labels."""
        if isinstance(indices, Tensor):
            indices = indices.to(self.store.device)
        rows = indices if self.rows is None else self.rows[indices]
        # index_select copies whole images, where indexing copies pixel by pixel: 13 times as long
        chosen = self.store.index_select(0, rows) if isinstance(rows, Tensor) else self.store[rows]
        return send(chosen, self.labels.device)

    def subset(self, indices: Tensor) -> "LabeledImages":
        """Return the images at `indices` int64 [n], in that order, without copying them."""
        rows = indices if self.rows is None else self.rows[indices]
        return LabeledImages(self.store, self.labels[indices], rows)

    def to(self, device: torch.device) -> "LabeledImages":
        """Return these images for work on `device`: moved now, or later in batches if they are too many."""
        if device == self.labels.device:
            return self
        labels = self.labels.to(device)
        if not _fits(len(self) * self.store[:1].numel(), device):
            return LabeledImages(self.store, labels, self.rows)
        return LabeledImages(self.take(slice(None)).to(device), labels)


class LabeledFile(NamedTuple):
    """A labeled image as it was given, for reading as `cnn predict` reads it."""

    name: str
    """Its path, or its place in a file of many."""
    source: ImageFile
    label: int
    """An index into the source's classes."""


def names_of(labels: Tensor, classes: tuple[str, ...]) -> list[str]:
    """Return what the labels int64 [N] or texts int64 [N, L] say, in words: N class names or texts."""
    rows = labels.tolist() if labels.ndim == 2 else labels[:, None].tolist()
    return ["".join(classes[index] for index in row if index >= 0) for row in rows]


@dataclass(frozen=True)
class Source:
    """A data set that is available.

    Args:
        name: the data that is used; every table, file and JSON shows it.
        requested: the data set that was requested; differs from `name` if a fallback is used.
        classes: the class names; a label is an index into them.
        train: returns the training images.
        test: returns the test images; do not call it before training has ended.
        preprocessing: what is done to an image before a network reads it.
        validation: returns the validation images; None: they are cut from the training images.
        paths: its files, or the folder that holds them; empty: the program draws the images.
        names: returns the names of the images of a split, in their order; None: they only have numbers.
        files: returns the images of a split (`test`, ...) as files; None: the set has only arrays.
        skips_broken: whether files that are no readable images are left out.
    """

    name: str
    requested: str
    classes: tuple[str, ...]
    train: Callable[[], LabeledImages]
    test: Callable[[], LabeledImages]
    preprocessing: PreprocessingKind = "digit"
    validation: Callable[[], LabeledImages] | None = None
    paths: tuple[Path, ...] = ()
    names: Callable[[str], Sequence[str]] | None = None
    files: Callable[[str], Iterable[LabeledFile]] | None = None
    skips_broken: bool = False

    @property
    def splits(self) -> dict[str, Callable[[], LabeledImages]]:
        """The splits that the source itself has, by name: a function that returns the images of each."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: load for name, load in splits.items() if load is not None}

    def names_of(self, split: str) -> Sequence[str]:
        """Return a name for each image of a split: its own, or the split and its number from 1."""
        if self.names is not None:
            return self.names(split)
        return [f"{split} {number}" for number in range(1, len(self.splits[split]()) + 1)]

    @property
    def is_fallback(self) -> bool:
        """Whether other data replaces the requested data. It does not satisfy an accuracy bar."""
        return self.name != self.requested


@dataclass(frozen=True)
class Access:
    """How a data set is opened, apart from its config.

    Args:
        progress: called while files are downloaded or your own images are decoded.
        limits: time limits of one request of a download.
        decode: whether your own images are decoded when they are opened; otherwise, when they are used.
    """

    progress: Progress | None = None
    limits: Limits = LIMITS
    decode: bool = True


def data_root(data: Data) -> Path:
    """Return the folder of the data: the config's, else the default."""
    return expanded(data.root, "data.root") if data.root else default_root()


def may_download(data: Data) -> bool:
    """Return whether the network may be used: neither `data.download` nor CNN_OFFLINE forbids it."""
    return data.download and os.environ.get("CNN_OFFLINE", "") in ("", "0")


def default_root() -> Path:
    """Return the default folder of data sets: CNN_DATA, else the user's cache folder."""
    folder = os.environ.get("CNN_DATA")
    return expanded(folder, "CNN_DATA") if folder else user_cache()


def check_labels(labels: Tensor, classes: int) -> None:
    """Check that labels int64 [N] are class indices.

    Raises:
        DamagedError: one is not.
    """
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise DamagedError(f"labels are from {low} to {high}, but there are {classes} classes")


def _fits(size: int, device: torch.device) -> bool:
    """Return whether `size` bytes leave half of the device's free memory to the network."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return size < free / 2


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
