"""What a data set is: images with labels, and a source that makes them when they are asked for."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import torch
from torch import Tensor

from cnn_cli.config.choices import PreprocessingKind
from cnn_cli.config.schema import Data
from cnn_cli.data.download import Progress
from cnn_cli.data.transfer import LIMITS, Limits
from cnn_cli.errors import DataError

DIGITS = tuple("0123456789")
"""The classes of every set of digits: only sets of the same classes may stand in for each other."""


@dataclass(frozen=True)
class LabeledImages:
    """Labeled images, all or some of a store that may be larger than memory.

    Args:
        store: uint8 [M, C, H, W], 0 = background, 255 = ink (or black and white); a file may be mapped behind it.
        labels: int64 [N], indices into the source's classes.
        rows: int64 [N], where in the store each of these images is; None: they are all of it, in its order.

    Raises:
        DataError: the parts do not fit together.
    """

    store: Tensor
    labels: Tensor
    rows: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse other types and lengths here, where their origin is still known."""
        if self.store.dtype != torch.uint8 or self.store.ndim != 4:
            raise DataError(f"images are uint8 [N, C, H, W], not {_describe(self.store)}")
        if self.labels.dtype != torch.int64 or self.labels.ndim != 1:
            raise DataError(f"labels are int64 [N], not {_describe(self.labels)}")
        count = len(self.store if self.rows is None else self.rows)
        if count != len(self.labels):
            raise DataError(f"{count:,} images, but {len(self.labels):,} labels")

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.labels)

    def take(self, indices: Tensor | slice) -> Tensor:
        """The images at `indices`, uint8 [n, C, H, W], on the device of the labels."""
        if isinstance(indices, Tensor):
            indices = indices.to(self.store.device)
        rows = indices if self.rows is None else self.rows[indices]
        # index_select copies whole images, where indexing copies pixel by pixel: 13 times as long
        chosen = self.store.index_select(0, rows) if isinstance(rows, Tensor) else self.store[rows]
        return chosen.to(self.labels.device)

    def subset(self, indices: Tensor) -> "LabeledImages":
        """The images at `indices` int64 [n], in that order. None is copied."""
        rows = indices if self.rows is None else self.rows[indices]
        return LabeledImages(self.store, self.labels[indices], rows)

    def to(self, device: torch.device) -> "LabeledImages":
        """These images for work on `device`: they move there whole, or in batches if they are too many."""
        if device == self.labels.device:
            return self
        labels = self.labels.to(device)
        if not _fits(len(self) * self.store[:1].numel(), device):
            return LabeledImages(self.store, labels, self.rows)
        return LabeledImages(self.take(slice(None)).to(device), labels)


@dataclass(frozen=True)
class Source:
    """A data set that is at hand.

    Args:
        name: what the data really is; it goes into every table, file and JSON.
        requested: what was asked for; differs from `name` where a fallback stands in.
        classes: the class names; a label is an index into them.
        train: makes the training images.
        test: makes the test images; nobody should call it before training has ended.
        preprocessing: what is done to an image of this kind before a network reads it.
        validation: makes validation images; None: they are cut from the training images.
        paths: its files, or the folder that holds them; none: nothing was there before.
    """

    name: str
    requested: str
    classes: tuple[str, ...]
    train: Callable[[], LabeledImages]
    test: Callable[[], LabeledImages]
    preprocessing: PreprocessingKind = "digit"
    validation: Callable[[], LabeledImages] | None = None
    paths: tuple[Path, ...] = ()

    @property
    def splits(self) -> dict[str, Callable[[], LabeledImages]]:
        """What makes the images of each split that the source itself has, by the split's name."""
        makers = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: maker for name, maker in makers.items() if maker is not None}

    @property
    def is_fallback(self) -> bool:
        """Whether other data stands in for what was asked for. Such data satisfies no accuracy bar."""
        return self.name != self.requested


@dataclass(frozen=True)
class Access:
    """How a data set is reached, beside what the config says of it.

    Args:
        progress: called as a download or the decoding of a folder goes on.
        limits: how long one request of a download may take.
    """

    progress: Progress | None = None
    limits: Limits = LIMITS


def data_root(data: Data) -> Path:
    """Return the folder of the data: the config's, else the default."""
    return Path(data.root).expanduser() if data.root else default_root()


def may_download(data: Data) -> bool:
    """Return whether the network may be used: neither `data.download` nor CNN_OFFLINE forbids it."""
    return data.download and os.environ.get("CNN_OFFLINE", "") in ("", "0")


def default_root() -> Path:
    """Where data sets are kept unless the config says otherwise: CNN_DATA, else the user's cache folder."""
    chosen = os.environ.get("CNN_DATA")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("cnn")


def _fits(size: int, device: torch.device) -> bool:
    """Whether so many bytes leave half of the device's memory to the network."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return size < free / 2


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
