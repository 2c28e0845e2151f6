"""Folders of small images, and a count of the work to open them."""

import os
from collections.abc import Iterable, Sequence
from hashlib import sha256
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_cli.config.schema import Data
from cnn_cli.config.sources import Own
from cnn_cli.data.own import digests, source, store
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


def settings(root: Path, size: int = 8, channels: int = 3, preprocessing=None, **own) -> Data:
    """Return the config's section for the folder."""
    options = {"size": size, "channels": channels, "preprocessing": preprocessing}
    return Data(name="own", root=str(root), own=Own(**own), **options)


def opened(root: Path, size: int = 8, channels: int = 3, progress=None, **options) -> Source:
    """Open the folder as a data source."""
    return source.open_own(settings(root, size, channels, **options), Access(progress))


def print_pixels(root: Path, ready: Barrier) -> None:
    """Print the stored pixels of a folder, which is opened when the others are ready, too."""
    ready.wait()
    print(stored(opened(root)).tobytes().hex())


def stored(source: Source, split: str = "train") -> np.ndarray:
    """Return the pixels of a split, in its order."""
    return getattr(source, split)().take(slice(None)).numpy()


def in_order(pixels: Sequence[np.ndarray], labels: Sequence[int]) -> np.ndarray:
    """Return images as training has them: by class, then by the SHA-256 of their pixels."""
    keys = [(label, sha256(image.tobytes()).digest()) for image, label in zip(pixels, labels, strict=True)]
    return np.stack([pixels[place] for place in sorted(range(len(keys)), key=keys.__getitem__)])


def cache_folder() -> Path:
    """Return the folder of decoded images."""
    return Path(os.environ["CNN_CACHE"])


def cached() -> list[str]:
    """List the decoded images in the cache, without what is remembered of files."""
    names = [path.name for path in cache_folder().iterdir()] if cache_folder().is_dir() else []
    return sorted(name for name in names if not name.startswith(("files-", "catalog-")))


class Work:
    """Counts of the files that were read for their digests and decoded, since the last call of `done`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._read = self._decoded = 0
        digest_all, decode_all = digests.map_ordered, store.map_ordered

        def digesting(function, jobs):
            self._read += sum(len(job.paths) for job in jobs)
            return digest_all(function, jobs)

        def decoding(function, jobs):
            listed = list(jobs)
            self._decoded += sum(len(job.images) for job in listed)
            return decode_all(function, listed)

        monkeypatch.setattr(digests, "map_ordered", digesting)
        monkeypatch.setattr(store, "map_ordered", decoding)

    def done(self) -> tuple[int, int]:
        """Return the numbers of files read and decoded."""
        counts, self._read, self._decoded = (self._read, self._decoded), 0, 0
        return counts
