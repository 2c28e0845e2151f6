"""MNIST's four files: found in any common layout, verified by hash, downloaded if they are missing.

Downloads are stored where torchvision expects them, in ROOT/MNIST/raw. torchvision itself reads the extracted
files: `torchvision.datasets.MNIST(ROOT, download=True)` accepts our .gz and extracts them, without a network.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnn_cli.data.download import Progress, download
from cnn_cli.data.transfer import LIMITS, Limits
from cnn_cli.data.verify import Check, DamagedError, PublishedFile, verified
from cnn_cli.errors import DataError

log = logging.getLogger(__name__)

TEST_LABELS = PublishedFile(
    "t10k-labels-idx1-ubyte", 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
)
TRAIN_LABELS = PublishedFile(
    "train-labels-idx1-ubyte", 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
)
TEST_IMAGES = PublishedFile(
    "t10k-images-idx3-ubyte", 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
)
TRAIN_IMAGES = PublishedFile(
    "train-images-idx3-ubyte", 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
)
FILES = (TEST_LABELS, TRAIN_LABELS, TEST_IMAGES, TRAIN_IMAGES)
"""Smallest first: a missing network, or a folder that cannot be written, is noticed within 5 kB."""


@dataclass(frozen=True)
class MnistFile:
    """One of the four files, verified: its path and its extracted content."""

    path: Path
    content: bytes


def check(root: Path) -> list[Check]:
    """Look for the four files in `root` and hash them; nothing is downloaded or written."""
    return [_check(root, file) for file in FILES]


def is_there(root: Path) -> bool:
    """Return whether a file of MNIST is at a root: in torchvision's layout, or verified right in it.

    Other sets, and data of your own, may have files of these names.
    """
    return any(
        path.parent != root or _is_intact(path, file) for file in FILES for path in _copies(root, file)
    )


def obtain(
    root: Path, mirrors: Sequence[str], progress: Progress | None = None, *, limits: Limits = LIMITS
) -> dict[PublishedFile, MnistFile]:
    """Return all four files, verified and in memory (55 MB); those that `root` lacks are downloaded into it.

    Each file is read once, and the bytes that were hashed are returned. A damaged file gets a warning and is
    downloaded again; it is replaced only by a verified file of the same name.

    Raises:
        DataError: a file is neither in `root` nor at any mirror, or cannot be written.
    """
    order = list(mirrors)
    return {file: _find(root, file) or _fetch(root, file, order, progress, limits) for file in FILES}


def _fetch(
    root: Path, file: PublishedFile, mirrors: list[str], progress: Progress | None, limits: Limits
) -> MnistFile:
    """Download one file. Its mirror moves to the front of `mirrors`: a dead one is waited for only once."""
    try:
        arrived = download(file, _download_folder(root), mirrors, progress=progress, limits=limits)
    except DataError as error:
        hint = f"run `cnn data get` where there is a network, or put the four MNIST files into {root}"
        raise DataError(f"MNIST is not in {root}: {error.message}", hint=error.hint or hint) from error
    mirrors.sort(key=lambda mirror: mirror != arrived.mirror)
    return MnistFile(arrived.path, arrived.content)


def _find(root: Path, file: PublishedFile) -> MnistFile | None:
    """Return the first intact copy in `root`; every damaged one before it is named in a warning."""
    for path in _copies(root, file):
        try:
            return MnistFile(path, _read(path, file))
        except DamagedError as error:
            log.warning("%s is damaged and not used: %s", path, error)
    return None


def _is_intact(path: Path, file: PublishedFile) -> bool:
    try:
        _read(path, file)
    except DamagedError:
        return False
    return True


def _check(root: Path, file: PublishedFile) -> Check:
    damaged = None
    for path in _copies(root, file):
        try:
            _read(path, file)
        except DamagedError as error:
            damaged = damaged or Check(file.name, path, "damaged", error.message)
        else:
            return Check(file.name, path, "ok", f"{file.size:,} bytes, SHA-256 as published")
    return damaged or Check(file.name, None, "missing", f"not in {root}")


def _copies(root: Path, file: PublishedFile) -> Iterator[Path]:
    """Yield the copies of `file`: in `root` itself, or in torchvision's layout, `root` being any level of it.

    The extracted copy comes first: it is read without decompressing, and torchvision reads it too.
    """
    for folder in (root / "MNIST" / "raw", root / "raw", root):
        for name in (file.name, f"{file.name}.gz"):
            if (folder / name).is_file():
                yield folder / name


def _read(path: Path, file: PublishedFile) -> bytes:
    """Return the extracted content of `path`; a file that cannot be read counts as damaged."""
    try:
        with path.open("rb") as stream:
            data = stream.read(file.largest + 1)
    except OSError as error:
        raise DamagedError(f"cannot be read: {error.strerror or error}") from error
    return verified(data, file)


def _download_folder(root: Path) -> Path:
    """Return ROOT/MNIST/raw, where `root` may already be one of the two lower levels."""
    if root.name == "raw" and root.parent.name == "MNIST":
        return root
    return root / "raw" if root.name == "MNIST" else root / "MNIST" / "raw"
