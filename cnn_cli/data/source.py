"""What a data set is: pictures with labels, and a source that makes them when they are asked for."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs
import torch
from torch import Tensor

from cnn_cli.data.download import Progress
from cnn_cli.data.transfer import LIMITS, Limits
from cnn_cli.errors import DataError
from cnn_cli.image import Reading as Reading  # a source says it, so it is found here too

DIGITS = tuple("0123456789")
"""The classes of every set of digits: only sets of the same classes may stand in for each other."""


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures, all or some of a store that may be larger than memory.

    Args:
        store: uint8 [M, C, H, W], 0 = paper, 255 = ink (or black and white); a file may be mapped behind it.
        labels: int64 [N], indices into the source's classes.
        rows: int64 [N], where in the store each of these pictures is; None: they are all of it, in its order.

    Raises:
        DataError: the parts do not fit together.
    """

    store: Tensor
    labels: Tensor
    rows: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse other types and lengths here, where their origin is still known."""
        if self.store.dtype != torch.uint8 or self.store.ndim != 4:
            raise DataError(f"pictures are uint8 [N, C, H, W], not {_describe(self.store)}")
        if self.labels.dtype != torch.int64 or self.labels.ndim != 1:
            raise DataError(f"labels are int64 [N], not {_describe(self.labels)}")
        count = len(self.store if self.rows is None else self.rows)
        if count != len(self.labels):
            raise DataError(f"{count:,} pictures, but {len(self.labels):,} labels")

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.labels)

    def take(self, indices: Tensor | slice) -> Tensor:
        """The pictures at `indices`, uint8 [n, C, H, W], on the device of the labels."""
        if isinstance(indices, Tensor):
            indices = indices.to(self.store.device)
        rows = indices if self.rows is None else self.rows[indices]
        # index_select copies whole pictures, where indexing copies pixel by pixel: 13 times as long
        chosen = self.store.index_select(0, rows) if isinstance(rows, Tensor) else self.store[rows]
        return chosen.to(self.labels.device)

    def subset(self, indices: Tensor) -> "Pictures":
        """The pictures at `indices` int64 [n], in that order. None is copied."""
        rows = indices if self.rows is None else self.rows[indices]
        return Pictures(self.store, self.labels[indices], rows)

    def to(self, device: torch.device) -> "Pictures":
        """These pictures for work on `device`: they move there whole, or in batches if they are too many."""
        if device == self.labels.device:
            return self
        labels = self.labels.to(device)
        if not _fits(len(self) * self.store[:1].numel(), device):
            return Pictures(self.store, labels, self.rows)
        return Pictures(self.take(slice(None)).to(device), labels)


@dataclass(frozen=True)
class Source:
    """A data set that is at hand.

    Args:
        name: what the data really is; it goes into every table, file and JSON.
        requested: what was asked for; differs from `name` where a fallback stands in.
        classes: the class names; a label is an index into them.
        train: makes the training pictures.
        test: makes the test pictures; nobody should call it before training has ended.
        reading: what counts in its pictures, and in those that are predicted after learning from them.
        validation: makes validation pictures; None: they are cut from the training pictures.
        paths: its files, or the folder that holds them; none: nothing was there before.
    """

    name: str
    requested: str
    classes: tuple[str, ...]
    train: Callable[[], Pictures]
    test: Callable[[], Pictures]
    reading: Reading = "ink"
    validation: Callable[[], Pictures] | None = None
    paths: tuple[Path, ...] = ()

    @property
    def splits(self) -> dict[str, Callable[[], Pictures]]:
        """What makes the pictures of each split that the source itself has, by the split's name."""
        makers = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: maker for name, maker in makers.items() if maker is not None}

    @property
    def is_fallback(self) -> bool:
        """Whether other data stands in for what was asked for. Such data satisfies no accuracy bar."""
        return self.name != self.requested


@dataclass(frozen=True)
class Drawing:
    """Which synthetic digits are drawn: so many for training, so many for the test, from that seed."""

    train: int = 60_000
    test: int = 10_000
    seed: int = 0


@dataclass(frozen=True)
class FolderReading:
    """How a folder of pictures is read.

    Args:
        reading: what counts in its pictures.
        broken: what happens at a file that is no picture: an error, or a warning and one picture less.
        test: share that is held out for the test, where there is no folder `test`.
        seed: of that choice.
    """

    reading: Reading = "whole"
    broken: Literal["stop", "skip"] = "stop"
    test: float = 0.2
    seed: int = 0


@dataclass(frozen=True)
class Options:
    """What sources are opened with; each takes what concerns it.

    Args:
        root: the folder where data sets are looked for, and downloaded to; for `folder` the pictures' own.
        mirrors: where a file of MNIST is downloaded from that `root` lacks; none: nothing is downloaded,
            whatever the set.
        synthetic: how many digits are drawn.
        folder: how a folder of pictures is read.
        size: height and width of the network's input, which pictures of any size are brought to.
        channels: those of the network's input.
        progress: told how far a download is, or the decoding of a folder.
        limits: how long a request of a download may take.
    """

    root: Path
    mirrors: Sequence[str] = ()
    synthetic: Drawing = Drawing()
    folder: FolderReading = FolderReading()
    size: int = 28
    channels: int = 1
    progress: Progress | None = None
    limits: Limits = LIMITS


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
