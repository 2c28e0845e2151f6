"""Your own data as a data source: found, decoded, put in order and split."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnn_cli.config.schema import Data
from cnn_cli.data import splits
from cnn_cli.data.own.cache import cache_folder
from cnn_cli.data.own.catalog import contents_at
from cnn_cli.data.own.contents import Contents
from cnn_cli.data.own.digests import Report, digests, memory_path
from cnn_cli.data.own.jobs import Image
from cnn_cli.data.own.store import Place, Store, obtain
from cnn_cli.data.source import Access, LabeledFile, LabeledImages, Source, data_root
from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat

log = logging.getLogger(__name__)

MAX_NAMED = 5
"""Maximum number of broken images that are named; of more, only the number is given."""


def open_own(data: Data, access: Access) -> Source:
    """Open the data in `data.root`, whatever its form. Its images are decoded the first time.

    Raises:
        DataError: it cannot be read, an image is broken and is not to be skipped, too few images are left, or
            the decoded images cannot be stored.
    """
    contents = contents_at(data_root(data))
    _check_contents(contents, data)
    opened = _Opened(contents, data, access)
    if access.decode:
        opened.check()
    name = f"own data {contents.root.absolute().name}"
    return Source(
        name=name,
        requested=name,
        classes=contents.classes,
        train=partial(opened.images, "train"),
        test=partial(opened.images, "test"),
        preprocessing=data.preprocessing or "photo",
        validation=partial(opened.images, "validation") if "validation" in opened.found else None,
        paths=(contents.root,),
        names=opened.names,
        files=opened.files,
        skips_broken=data.own.broken == "skip",
    )


def _check_contents(contents: Contents, data: Data) -> None:
    """Check that there are classes to tell apart, and that the training images have all of them."""
    classes = contents.classes
    if data.own.test < 1 and len(classes) < 2:
        what = f"only one class, {classes[0]}" if classes else "no images"
        raise DataError(f"{contents.root}: has {what}", hint="add images of two or more classes")
    known = set(classes)
    for index, entry in enumerate(contents.entries):
        if entry.label not in known:
            raise DataError(
                f"{contents.path(index)}: {entry.label} is not a class of the training images",
                hint=f"their classes are {', '.join(classes)}",
            )


@dataclass(frozen=True)
class _Decoded:
    """The decoded images.

    Args:
        pixels: uint8 [M, C, H, W].
        rows: the row of each entry, int64 [N]; -1: it is broken.
        order: the place of each entry, int64 [N], by class and then by pixels: the same for all forms.
    """

    pixels: Tensor
    rows: NDArray[np.int64]
    order: NDArray[np.int64]


class _Opened:
    """The labeled images at a data root, decoded when they are needed."""

    def __init__(self, contents: Contents, data: Data, access: Access) -> None:
        self.contents, self.data, self.access = contents, data, access
        number = {name: place for place, name in enumerate(contents.classes)}
        self.labels = np.array([number[entry.label] for entry in contents.entries], np.int64)
        names = np.array([entry.split for entry in contents.entries])
        self.found = {name: np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())}

    def check(self) -> None:
        """Decode all images, and check that those of each class can be used.

        Raises:
            DataError: they cannot.
        """
        for split, indices in self.found.items():
            if not (self.decoded.rows[indices] >= 0).any():
                raise DataError(f"{self.contents.root}: no image for {split} can be read")
        if self.data.own.test < 1:
            self._check_classes()
        _warn_of_duplicates(self.contents.root, self.images("train"), self.images("test"))

    def images(self, split: str) -> LabeledImages:
        """Return the images of a split that are not broken, in their order."""
        indices = self.splits[split]
        rows = torch.from_numpy(self.decoded.rows[indices])
        return LabeledImages(self.decoded.pixels, torch.from_numpy(self.labels[indices]), rows)

    def names(self, split: str) -> list[str]:
        """Return the names of those images, in their order."""
        return [str(self.contents.path(index)) for index in self.splits[split].tolist()]

    def files(self, split: str) -> Iterator[LabeledFile]:
        """Yield the images of a split as files; they are decoded only if the split was cut."""
        indices = self.splits[split] if self._is_cut(split) else self._uncut(split)
        for index, source in self.contents.sources(indices.tolist()):
            yield LabeledFile(str(self.contents.path(index)), source, int(self.labels[index]))

    @cached_property
    def decoded(self) -> _Decoded:
        """The decoded images, from the cache if they are there."""
        contents = self._digests()
        store = self._store(contents)
        problems = [store.problems.get(c) if isinstance(c, bytes) else c for c in contents]
        self._report_broken(problems)
        known = [store.rows[c] if isinstance(c, bytes) and c not in store.problems else -1 for c in contents]
        rows = np.array(known, np.int64)
        order = np.empty(len(rows), np.int64)
        places = store.places[rows] if len(store.places) else rows  # of a broken image, any
        order[np.lexsort((places, self.labels))] = np.arange(len(rows))
        return _Decoded(_tensor(store.pixels), rows, order)

    @cached_property
    def splits(self) -> dict[str, NDArray[np.int64]]:
        """The indices of the entries of each split that are not broken, in order."""
        ordered = {name: self._ordered(indices) for name, indices in self.found.items()}
        train = ordered.get("train", np.empty(0, np.int64))
        if "test" in ordered:
            return {"train": train} | ordered
        if self.data.own.test == 1:
            return ordered | {"train": train[:0], "test": train}
        count = max(1, round(self.data.own.test * len(train)))
        kept, held = splits.split(torch.from_numpy(self.labels[train]), count, self.data.own.seed)
        return ordered | {"train": train[kept.numpy()], "test": train[held.numpy()]}

    def _is_cut(self, split: str) -> bool:
        """Return whether a split is a part of what has that name, or of what has another name."""
        return split in ("train", "test") and "test" not in self.found and self.data.own.test < 1

    def _uncut(self, split: str) -> NDArray[np.int64]:
        everything = split == "test" and "test" not in self.found
        return self.found.get("train" if everything else split, np.empty(0, np.int64))

    def _ordered(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        good = indices[self.decoded.rows[indices] >= 0]
        return good[np.argsort(self.decoded.order[good])]

    def _digests(self) -> Sequence[bytes | str]:
        if self.contents.digests is not None:
            return self.contents.digests
        root, report = self.contents.root, self._report("reading")
        return digests(root, self.contents.entries, memory_path(cache_folder(), root), report)

    def _store(self, contents: Sequence[bytes | str]) -> Store:
        """Return the decoded images; each content once, however many images have it."""
        first: dict[bytes, int] = {}
        for index, content in enumerate(contents):
            if isinstance(content, bytes):
                first.setdefault(content, index)
            elif self.data.own.broken == "stop":
                raise _broken(str(self.contents.path(index)), content)

        def images() -> Iterator[Image]:
            digest_of = {index: digest for digest, index in first.items()}
            for index, source in self.contents.sources(list(first.values())):
                yield Image(str(self.contents.path(index)), source, digest_of[index])

        def refuse(name: str, problem: str) -> None:
            if self.data.own.broken == "stop":
                raise _broken(name, problem)

        kind, size, channels = self.data.preprocessing or "photo", self.data.size, self.data.channels
        place = Place(cache_folder(), self.contents.root, InputFormat(kind, size, channels))
        return obtain(place, list(first), images, refuse, self._report("decoding"))

    def _report(self, doing: str) -> Report:
        def report(done: int, total: int) -> None:
            if self.access.decode and self.access.progress is not None:  # later, there is no bar
                self.access.progress(f"{doing} the images in {self.contents.root}", done, total)

        return report

    def _report_broken(self, problems: Sequence[str | None]) -> None:
        """Stop at a broken image or warn of it, also if it was skipped when the store was made."""
        broken = [(index, problem) for index, problem in enumerate(problems) if problem is not None]
        if broken and self.data.own.broken == "stop":
            raise _broken(str(self.contents.path(broken[0][0])), broken[0][1])
        for index, problem in broken[:MAX_NAMED]:
            log.warning("%s: %s; it is skipped", self.contents.path(index), problem)
        if len(broken) > MAX_NAMED:
            counts = f"{len(broken):,}", f"{len(problems):,}"
            log.warning("%s: %s images of %s are skipped", self.contents.root, *counts)

    def _check_classes(self) -> None:
        counts = np.bincount(self.labels[self.splits["train"]], minlength=len(self.contents.classes))
        if not counts.all():
            missing = self.contents.classes[int(counts.argmin())]
            raise DataError(
                f"{self.contents.root}: no image of class {missing} is left to train on",
                hint=f"add images of {missing}, or remove that class",
            )


def _tensor(pixels: np.ndarray) -> Tensor:
    """Return the mapped pixels as a tensor, which must not be written to.

    Linux refuses a private, writable map if the file is larger than memory.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.asarray(pixels))


def _broken(name: str, problem: str) -> DataError:
    hint = "fix or remove it, or skip all broken images: data.own.broken=skip"
    return DataError(f"{name}: {problem}", hint=hint)


def _warn_of_duplicates(root: Path, train: LabeledImages, test: LabeledImages) -> None:
    """Warn of test images that are also training images: equal contents are one row of the store."""
    if train.rows is None or test.rows is None:
        return
    known = torch.zeros(len(train.store), dtype=torch.bool)
    known[train.rows] = True
    count = int(known[test.rows].sum())
    if count:
        log.warning(
            "%s: %s of %s test images are among the training images too: accuracy will be overstated",
            root,
            f"{count:,}",
            f"{len(test):,}",
        )
