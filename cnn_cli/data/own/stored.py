"""What is in the cache of decoded images, and its removal."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cnn_cli.data.own.cache import cache_folder
from cnn_cli.data.own.catalog import catalog_path
from cnn_cli.data.own.digests import DAMAGE, memory_path
from cnn_cli.data.own.store_table import read_table
from cnn_cli.files import TEMPORARY

SUFFIXES = (".npy", ".npz", TEMPORARY)
"""The endings of all files in the cache."""


@dataclass(frozen=True)
class StoredImages:
    """The decoded images of one data root in one format.

    Args:
        root: the data root.
        input_format: the format in words, such as `photo (1, 28, 28)`.
        images: number of images.
        size: bytes of the file.
        path: the file.
    """

    root: str
    input_format: str
    images: int
    size: int
    path: Path


def stored_images() -> list[StoredImages]:
    """Return what is in the cache, by data root; damaged files are left out."""
    return sorted(_stored(), key=lambda each: (each.root, each.input_format))


def _stored() -> Iterator[StoredImages]:
    for path in cache_folder().glob("*.npz"):
        pixels = path.with_suffix(".npy")
        with suppress(*DAMAGE):
            if pixels.is_file():
                table = read_table(path)
                root, input_format = table.record["owner"]
                yield StoredImages(root, input_format, len(table.digests), pixels.stat().st_size, pixels)


def clear(root: Path | None = None) -> int:
    """Remove what is in the cache, of one data root or of all. Return the number of bytes.

    Images are decoded again when they are needed. A process that uses them keeps them until it ends.
    """
    files = list(_files_of(root)) if root else list(_all_files())
    removed = 0
    for file in files:
        with suppress(OSError):
            size = file.stat().st_size
            file.unlink()
            removed += size
    return removed


def _all_files() -> Iterator[Path]:
    if cache_folder().is_dir():
        yield from (file for file in cache_folder().iterdir() if file.suffix in SUFFIXES and file.is_file())


def _files_of(root: Path) -> Iterator[Path]:
    for stored in stored_images():
        if stored.root == str(root.resolve()):
            yield from (stored.path.with_suffix(".npz"), stored.path)  # pixels without a table do not count
    yield from (memory_path(cache_folder(), root), catalog_path(root))
