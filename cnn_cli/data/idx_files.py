"""The files of one of the sets of `data.idx_sets` below a data root: which copy is intact, and what it holds.

An archive is verified by its published MD5. Of an extracted file, as torchvision leaves it, no sum is known:
its size is compared with its header, and if its archive is there too, the archive's content is used instead.
"""

import logging
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from cnn_cli.data import idx
from cnn_cli.data.download import Archive
from cnn_cli.data.idx_sets import MAX_CONTENT, IdxSet, IdxSplit
from cnn_cli.data.source import LabeledImages, check_labels
from cnn_cli.data.verify import Check, DamagedError, check_md5, extracted
from cnn_cli.errors import DataError
from cnn_cli.files import atomic_write

log = logging.getLogger(__name__)

UNREADABLE = (KeyError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What zipfile raises for a file that is not what it should be."""


class SetFiles:
    """The files of a set below a root. The MD5 of each archive is computed once."""

    def __init__(self, root: Path, published: IdxSet) -> None:
        self.root = root
        self.published = published
        self._faults: dict[Archive, str | None] = {}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The path of each file, or of its archive."""
        copies = (self._intact(file) for file in self.published.files)
        return tuple(dict.fromkeys(copy.path for copy in copies if copy))

    def check(self) -> list[Check]:
        """Return the state of every file and, if all of them are intact, of both splits."""
        files = [self._check(file) for file in self.published.files]
        if any(file.state != "ok" for file in files):
            return files
        return files + [self._check_split(name, split) for name, split in self.published.splits.items()]

    def faults(self) -> list[Check]:
        """Return the parts that cannot be used."""
        return [part for part in self.check() if part.state != "ok"]

    def images(self, split: IdxSplit) -> LabeledImages:
        """Read the images and labels of a split.

        Raises:
            DamagedError: that is not possible; the message says why.
        """
        pixels = idx.parse(self.content(split.images), split.images)
        labels = idx.parse(self.content(split.labels), split.labels)
        if labels.ndim == 2:
            labels = labels[:, 0]  # QMNIST: the digit, then seven numbers on its writer and its place in NIST
        if self.published.transposed and pixels.ndim == 3:
            pixels = np.ascontiguousarray(pixels.transpose(0, 2, 1))
        numbers = torch.from_numpy(labels.astype(np.int64)) - self.published.first_label
        images = LabeledImages(torch.from_numpy(pixels).unsqueeze(1), numbers)
        check_labels(images.labels, len(self.published.classes))
        return images

    def content(self, file: str) -> bytes:
        """Return the extracted content of a file.

        Raises:
            DamagedError: there is no intact copy.
        """
        copy = self._intact(file)
        if copy is None:
            raise DamagedError(f"{file} is missing or damaged")
        try:
            return _content(copy, file)
        except OSError as error:
            raise DamagedError(f"{copy.path} cannot be read: {error.strerror or error}") from error

    def warn_of_damage(self) -> None:
        """Name every damaged copy that comes before an intact one."""
        for file in self.published.files:
            for copy in self._copies(file):
                fault = self._fault(copy)
                if fault is None:
                    break
                log.warning("%s is damaged and not used: %s", copy.path, fault)

    def write_extracted(self) -> None:
        """Extract what a zip holds, since that takes seconds, and replace extracted files that are wrong.

        torchvision would use such a file. A root that cannot be written is no error: the archive is read.
        """
        for file in self.published.files:
            copy, target = self._intact(file), self.root / file
            if copy is None or copy.archive is None or not (_is_zip(copy.archive) or target.is_file()):
                continue
            content = self.content(file)
            try:
                if target.is_file() and target.read_bytes() == content:
                    continue
                if target.is_file():
                    log.warning("%s differs from the content of %s; it is replaced", target, copy.path)
                with atomic_write(target) as stream:
                    stream.write(content)
            except OSError as error:
                log.warning("%s cannot be written: %s", target, error.strerror or error)

    def _copies(self, file: str) -> Iterator["_Copy"]:
        """Yield the copies of a file, the best first. A zip comes last, because it takes long to read."""
        archive = self.published.archive_of(file)
        copies = [_Copy(self.root / archive.path, archive), _Copy(self.root / file, None)]
        for copy in reversed(copies) if _is_zip(archive) else copies:
            if copy.path.is_file():
                yield copy

    def _intact(self, file: str) -> "_Copy | None":
        return next((copy for copy in self._copies(file) if self._fault(copy) is None), None)

    def _fault(self, copy: "_Copy") -> str | None:
        """Return what is wrong with a copy; None: nothing."""
        if copy.archive is None:
            return _fault_of_extracted(copy.path)
        if copy.archive not in self._faults:
            self._faults[copy.archive] = _fault_of_archive(copy.path, copy.archive)
        return self._faults[copy.archive]

    def _check(self, file: str) -> Check:
        copy = self._intact(file)
        if copy is not None:
            proof = "as its header announces" if copy.archive is None else "MD5 as published"
            return Check(file, copy.path, "ok", f"{copy.path.stat().st_size:,} bytes, {proof}")
        for damaged in self._copies(file):
            return Check(file, damaged.path, "damaged", str(self._fault(damaged)))
        return Check(file, None, "missing", f"not in {self.root}")

    def _check_split(self, name: str, split: IdxSplit) -> Check:
        try:
            images = self.images(split)
        except DataError as error:
            return Check(name, self.root / split.images, "damaged", error.message)
        height, width = images.store.shape[-2:]
        return Check(name, self.root / split.images, "ok", f"{len(images):,} images of {height}x{width}")


class _Copy(NamedTuple):
    """One copy of a file: the archive that holds it, or the extracted file (`archive` is None)."""

    path: Path
    archive: Archive | None


def _is_zip(archive: Archive) -> bool:
    return archive.path.endswith(".zip")


def _fault_of_archive(path: Path, archive: Archive) -> str | None:
    try:
        check_md5(path, archive.md5)
    except DamagedError as error:
        return error.message
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None


def _fault_of_extracted(path: Path) -> str | None:
    try:
        idx.check_size(path)
    except DamagedError as error:
        return error.message
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return None


def _content(copy: _Copy, file: str) -> bytes:
    """Return the extracted content of `file`, which is never more than MAX_CONTENT bytes."""
    if copy.archive is not None and _is_zip(copy.archive):
        content = extracted(_member(copy.path, f"gzip/{Path(file).name}.gz"), MAX_CONTENT)
    else:
        with copy.path.open("rb") as stream:
            data = stream.read(MAX_CONTENT + 1)
        content = data if copy.archive is None else extracted(data, MAX_CONTENT)
    if len(content) > MAX_CONTENT:
        raise DamagedError(f"{file} has more than {MAX_CONTENT:,} bytes")
    return content


def _member(path: Path, name: str) -> bytes:
    """Return the content of one file in a zip. It is read, not extracted to a path that the zip names."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as member:
            return member.read(MAX_CONTENT + 1)
    except UNREADABLE as error:
        raise DamagedError(f"{path} does not hold {name}: {error}") from error
