"""Folders of small images, and a count of the work to open them."""

from collections.abc import Iterable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_cli.config.schema import Data
from cnn_cli.config.sources import Folder
from cnn_cli.data.folder import digests, source, store
from cnn_cli.data.source import Access, Source

CLASSES = ("cat", "dog", "eel")


def image(path: Path, seed: int, mode: str = "RGB", size: tuple[int, int] = (16, 12)) -> Path:
    """Save an image of noise; each seed gives another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def album(
    root: Path,
    count: int = 5,
    classes: Iterable[str] = CLASSES,
    seed: int = 0,
    size: tuple[int, int] = (16, 12),
) -> Path:
    """Save `count` images in each class, all different."""
    for label, name in enumerate(classes):
        for number in range(count):
            image(root / name / f"{number:03}.png", 10_000 * seed + 100 * label + number, size=size)
    return root


def settings(root: Path, size: int = 8, channels: int = 3, preprocessing=None, **folder) -> Data:
    """Return the config's section for the folder."""
    options = {"size": size, "channels": channels, "preprocessing": preprocessing}
    return Data(name="folder", root=str(root), folder=Folder(**folder), **options)


def opened(root: Path, size: int = 8, channels: int = 3, progress=None, **options) -> Source:
    """Open the folder as a data source."""
    return source.open_folder(settings(root, size, channels, **options), Access(progress))


def print_pixels(root: Path, ready: Barrier) -> None:
    """Print the stored pixels of a folder, which is opened when the others are ready, too."""
    ready.wait()
    print(stored(opened(root)).tobytes().hex())


def stored(source: Source, split: str = "train") -> np.ndarray:
    """Return the pixels of a split, in its order."""
    return getattr(source, split)().take(slice(None)).numpy()


def cached(data: Path) -> list[str]:
    """List the cache below $CNN_DATA, without the stored digests."""
    return sorted(path.name for path in (data / "folders").iterdir() if not path.name.startswith("files-"))


class Work:
    """Counts of the files that were read for their digests and decoded, since the last call of `done`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._read = self._decoded = 0
        digest_all, decode_all = digests.map_ordered, store.map_ordered

        def digesting(function, jobs):
            self._read += sum(len(job.paths) for job in jobs)
            return digest_all(function, jobs)

        def decoding(function, jobs):
            self._decoded += sum(len(job.images) for job in jobs)
            return decode_all(function, jobs)

        monkeypatch.setattr(digests, "map_ordered", digesting)
        monkeypatch.setattr(store, "map_ordered", decoding)

    def done(self) -> tuple[int, int]:
        """Return the numbers of files read and decoded."""
        counts, self._read, self._decoded = (self._read, self._decoded), 0, 0
        return counts
