"""What a data set is: pictures with labels, and a source that makes them when they are asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cnn_cli.data.download import Progress
from cnn_cli.data.transfer import Limits
from cnn_cli.errors import DataError


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures.

    Args:
        images: uint8 [N, C, H, W], 0 = paper, 255 = ink.
        labels: int64 [N], indices into the source's classes.

    Raises:
        DataError: the two do not fit together.
    """

    images: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        """Refuse other types and lengths here, where their origin is still known."""
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise DataError(f"pictures are uint8 [N, C, H, W], not {_describe(self.images)}")
        if self.labels.dtype != torch.int64 or self.labels.ndim != 1:
            raise DataError(f"labels are int64 [N], not {_describe(self.labels)}")
        if len(self.images) != len(self.labels):
            raise DataError(f"{len(self.images):,} pictures, but {len(self.labels):,} labels")

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self.labels)


@dataclass(frozen=True)
class Source:
    """A data set that is at hand.

    Args:
        name: what the data really is; it goes into every table, file and JSON.
        requested: what was asked for; differs from `name` where a fallback stands in.
        classes: the class names; a label is an index into them.
        train: makes the training pictures.
        test: makes the test pictures; nobody should call it before training has ended.
    """

    name: str
    requested: str
    classes: tuple[str, ...]
    train: Callable[[], Pictures]
    test: Callable[[], Pictures]

    @property
    def is_fallback(self) -> bool:
        """Whether other data stands in for what was asked for. Such data satisfies no accuracy bar."""
        return self.name != self.requested


@dataclass(frozen=True)
class Options:
    """What sources are opened with; each takes what concerns it. The fields are those of `open_source`."""

    root: Path
    mirrors: Sequence[str]
    synthetic_train: int
    synthetic_test: int
    synthetic_seed: int
    progress: Progress | None
    limits: Limits


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
