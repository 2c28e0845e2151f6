"""Folders of small images, and a look at how much work it was to open them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_cli.data.folder import digests, source, store
from cnn_cli.data.source import FolderReading, Options, Source

CLASSES = ("cat", "dog", "eel")


def image(path: Path, seed: int, mode: str = "RGB", size: tuple[int, int] = (16, 12)) -> Path:
    """An image of noise; another seed gives another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def album(root: Path, count: int = 5, classes: Iterable[str] = CLASSES, seed: int = 0) -> Path:
    """`count` images in each class, all different."""
    for label, name in enumerate(classes):
        for number in range(count):
            image(root / name / f"{number:03}.png", 10_000 * seed + 100 * label + number)
    return root


def opened(root: Path, size: int = 8, channels: int = 3, progress=None, **reading) -> Source:
    """The folder as a data source."""
    return source.open_folder(
        Options(root, folder=FolderReading(**reading), size=size, channels=channels, progress=progress)
    )


def stored(source: Source, split: str = "train") -> np.ndarray:
    """The pixels of a split, in its order."""
    return getattr(source, split)().take(slice(None)).numpy()


def cached(data: Path) -> list[str]:
    """What lies in the cache below $CNN_DATA, but for the remembered digests."""
    return sorted(path.name for path in (data / "folders").iterdir() if not path.name.startswith("files-"))


class Work:
    """What opening folders has cost since it was last asked: files read for their digests, and decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._read = self._decoded = 0
        digest_each, decode_each = digests.each, store.each

        def digesting(function, jobs):
            self._read += sum(len(job.paths) for job in jobs)
            return digest_each(function, jobs)

        def decoding(function, jobs):
            self._decoded += sum(len(job.images) for job in jobs)
            return decode_each(function, jobs)

        monkeypatch.setattr(digests, "each", digesting)
        monkeypatch.setattr(store, "each", decoding)

    def done(self) -> tuple[int, int]:
        """(read, decoded)."""
        counts, self._read, self._decoded = (self._read, self._decoded), 0, 0
        return counts
