"""What lies at a data root: named and labeled images, of which none is decoded. Every form becomes this."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cnn_cli.errors import CnnError, DataError

SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "t10k": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}
"""Common names of a split, in lower case."""

IMAGES = frozenset({"x", "image", "images", "img", "imgs", "data", "pixels"})
"""Common names of images, in lower case."""

LABELS = frozenset({"y", "label", "labels", "class", "classes", "target", "targets", "digit"})
"""Common names of labels, in lower case."""

WORDS = re.compile(r"[^a-z0-9]+")


class Entry(NamedTuple):
    """An image that has not been read."""

    name: str
    """Path below `Contents.base`, such as `3/0001.png`, or `train.csv#17` for an image in a table."""
    label: str
    """The name of its class."""
    split: str = "train"
    """`train`, `test` or `validation`."""
    signature: bytes = b""
    """Of a file of its own: what changes with its content (`files.signature`). Empty: unknown."""


Encoded = Path | bytes
"""An image file, or its content."""

Damage = type[Exception] | tuple[type[Exception], ...]

Sources = Callable[[Sequence[int]], Iterator[tuple[int, Encoded]]]
"""From indices of entries to (index, image), in any order: an archive is read from its start to its end."""


@dataclass(frozen=True)
class Contents:
    """The labeled images at a data root.

    Args:
        root: the data root.
        base: what the names of the entries are below.
        entries: the images.
        sources: returns the images of entries.
        digests: SHA-256 of every image; None if each image is a file of its own, which is digested when it
            has changed.
    """

    root: Path
    base: Path
    entries: Sequence[Entry]
    sources: Sources
    digests: Sequence[bytes] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of the training images, in natural order: 2 before 10."""
        labels = {entry.label for entry in self.entries if entry.split == "train"}
        return tuple(sorted(labels or {entry.label for entry in self.entries}, key=natural_key))

    def path(self, index: int) -> Path:
        """Return where an image is, for people."""
        return self.base / self.entries[index].name


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Return a sorting key by which numbers in names count as numbers: `2` before `10`, `a9` before `a10`.

    Names with the same numbers, such as `1` and `01`, are in plain order.
    """
    parts = re.split(r"([0-9]+)", name)  # text at even places, numbers at odd places
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: `X_train` gives x and train."""
    return [word for word in WORDS.split(name.lower()) if word]


def split_of(name: str) -> str | None:
    """Return the split that a name such as `mnist_test` or `t10k-images` tells; None: none, or several."""
    splits = {SPLITS[word] for word in words_of(name) if word in SPLITS}
    return splits.pop() if len(splits) == 1 else None


def role_of(name: str) -> str | None:
    """Return whether a name such as `x_train` is that of `images` or `labels`; None: neither, or both."""
    words = set(words_of(name))
    roles = [role for role, known in (("images", IMAGES), ("labels", LABELS)) if words & known]
    return roles[0] if len(roles) == 1 else None


def by_split(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Return the files of each split by their names; a single file without a split is for training."""
    listed = list(files)
    if len(listed) == 1:
        return {split_of(listed[0].name) or "train": listed}
    splits: dict[str, list[Path]] = {}
    for file in listed:
        split = split_of(file.name)
        if split is not None:
            splits.setdefault(split, []).append(file)
    return splits


@contextmanager
def explained(path: Path, damage: Damage, broken: Callable[[Exception], DataError]) -> Iterator[None]:
    """Explain to the user why a file of the data cannot be read.

    Args:
        path: the file.
        damage: what a library raises for a file that is damaged.
        broken: returns the error about such a file.

    Raises:
        DataError: the file is missing, damaged or not readable. Our own errors are passed on.
    """
    try:
        yield
    except CnnError:
        raise
    except FileNotFoundError as error:
        raise unreadable(path, error) from error
    except damage as error:
        raise broken(error) from error
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> DataError:
    """Return the error about a file of the data that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such file", hint="check data.root")
    reason = f"cannot be read: {error.strerror or error}"
    return DataError(f"{path}: {reason}", hint="check the file's permissions")
