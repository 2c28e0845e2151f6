"""The splits, classes and files of a folder of images. Only names are read, no image."""

import logging
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cnn_cli.config.choices import UNSURE
from cnn_cli.errors import DataError
from cnn_cli.files import is_visible
from cnn_cli.image.formats import IMAGE_SUFFIXES

log = logging.getLogger(__name__)

SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}
"""Common names of the folder of a split, in lower case."""

SIGNATURE = "<qqqQ"
"""Size, mtime and ctime in nanoseconds, inode."""


class File(NamedTuple):
    """An image that has not been read."""

    path: str
    """Path below the scanned folder."""
    label: int
    signature: bytes
    """Size, times and inode. As long as these 32 bytes stay the same, the content does. Empty: unknown."""


@dataclass(frozen=True)
class Layout:
    """The images of a folder.

    Args:
        root: the folder.
        classes: names in natural order (2 before 10); a label is an index into them.
        splits: the images of `train` and, if there are such folders, of `test` and `validation`; class by
        class,
            and within a class in the order of their paths.
    """

    root: Path
    classes: tuple[str, ...]
    splits: dict[str, list[File]]


def class_names(root: Path) -> tuple[str, ...]:
    """Return the classes of the images in `root`: its subfolders, or those of its folder `train`.

    Raises:
        DataError: there is no such folder, it cannot be read, or it has fewer than two classes.
    """
    return _classes(_split_folders(root)["train"])


def scan(root: Path) -> Layout:
    """Find all images in `root`: files with an image's suffix, not hidden, at any depth of a class.

    Raises:
        DataError: as `class_names`; or a class or a split is empty, or `train` lacks a class.
    """
    folders = _split_folders(root)
    classes = _classes(folders["train"])
    splits = {}
    for split, folder in folders.items():
        inside = folder.relative_to(root).as_posix()
        splits[split] = list(_images(root, "" if inside == "." else f"{inside}/", classes))
        _check(split, folder, classes, splits[split])
        _note_unsure(root, folder)
    return Layout(root, classes, splits)


def _split_folders(root: Path) -> dict[str, Path]:
    """Return the folder of each split. Without a training folder, `root` itself holds the classes.

    A folder `train` holds training images only if it has subfolders: otherwise it may be a class of vehicles.
    """
    names = _subfolders(root)
    folders: dict[str, Path] = {}
    for name in names:
        split = SPLITS.get(name.lower())
        if split in folders:
            raise DataError(
                f"{root}: has two folders for {split}: {folders[split].name} and {name}",
                hint="keep one of them, or move one into the other",
            )
        if split:
            folders[split] = root / name
    if "train" in folders and _subfolders(folders["train"]):
        return folders
    if names and len(folders) == len(names):
        raise DataError(
            f"{root}: has the folder {names[0]}, but no folder train with one folder for each class",
            hint="put the images into train/CLASS/, and into test/CLASS/ those for the test alone",
        )
    return {"train": root}


def _classes(folder: Path) -> tuple[str, ...]:
    names = _subfolders(folder)
    if len(names) < 2:
        what = f"only one class, {names[0]}" if names else "no subfolders"
        raise DataError(f"{folder}: has {what}", hint="make one subfolder for each of two or more classes")
    return tuple(names)


def _check(split: str, folder: Path, classes: tuple[str, ...], files: list[File]) -> None:
    unknown = [name for name in _subfolders(folder) if name not in classes]
    if unknown:
        raise DataError(
            f"{folder / unknown[0]}: {unknown[0]} is not a class of the training images",
            hint=f"their classes are {', '.join(classes)}",
        )
    missing = set(range(len(classes))) - {file.label for file in files} if split == "train" else set()
    empty = folder / classes[min(missing)] if missing else None if files else folder
    if empty:
        raise DataError(
            f"{empty}: has no images",
            hint="put images there (.png, .jpg, .webp, .tif or similar), or remove the folder",
        )


def _note_unsure(root: Path, folder: Path) -> None:
    """Warn of images that `cnn predict --sort-into` was not sure of and that nobody has sorted since."""
    if (folder / UNSURE).is_dir():
        inside = (folder / UNSURE).relative_to(root).as_posix()
        count = sum(1 for _ in _walk(root, inside, frozenset()))
        if count:
            log.warning("%s: is no class; its images are left out: %s", folder / UNSURE, f"{count:,}")


def _subfolders(folder: Path) -> list[str]:
    """Return the names of the subfolders in natural order, without that of `cnn predict --sort-into`."""
    names = (entry.name for entry in _entries(folder) if _is_folder(entry))
    return sorted((name for name in names if name != UNSURE), key=natural_key)


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Return a sorting key by which numbers in names count as numbers: `2` before `10`, `a9` before `a10`.

    Names with the same numbers, such as `1` and `01`, are in plain order.
    """
    parts = re.split(r"([0-9]+)", name)  # text at even places, numbers at odd places
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return the visible entries of `folder`, sorted by name."""
    with _errors(folder), os.scandir(folder) as entries:
        return sorted((e for e in entries if is_visible(e.name)), key=lambda entry: entry.name)


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    """Explain to the user why a folder cannot be read."""
    hint = "set data.root to the folder of the images"
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{folder}: no such folder", hint=hint) from error
    except NotADirectoryError as error:
        raise DataError(f"{folder}: is not a folder", hint=hint) from error
    except OSError as error:
        hint = "check the folder's permissions"
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}", hint=hint) from error


def _images(root: Path, inside: str, classes: tuple[str, ...]) -> Iterator[File]:
    """Yield the images of every class in `root`/`inside`; a class without a folder there has none."""
    for label, name in enumerate(classes):
        if (root / inside / name).is_dir():
            paths = sorted(_walk(root, inside + name, frozenset()))
            yield from (File(path, label, signature) for path, signature in paths)


def _walk(root: Path, inside: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, bytes]]:
    """Yield (path below root, signature) of every image below root/inside, in any order."""
    folder = root / inside
    with _errors(folder):
        status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:  # a symbolic link to a folder above it
        return
    for entry in _entries(folder):
        path = f"{inside}/{entry.name}"
        if _is_folder(entry):
            yield from _walk(root, path, above | {here})
        elif f".{entry.name.rpartition('.')[2].lower()}" in IMAGE_SUFFIXES and _is_file(entry):
            yield path, _signature(entry)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # symbolic links in a circle
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a file, or a link to a missing one, which is a broken image. A pipe is neither."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry).exists())
    except OSError:
        return True


def _signature(entry: os.DirEntry[str]) -> bytes:
    try:
        return signature(entry.stat())
    except OSError:
        return b""


def signature(status: os.stat_result) -> bytes:
    """Return 32 bytes that change with the content: ctime does, even if size and mtime are restored."""
    inode = status.st_ino % 2**64  # Windows has longer numbers
    return struct.pack(SIGNATURE, status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode)
