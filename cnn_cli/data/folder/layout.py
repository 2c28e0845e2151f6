"""Where the images of a folder lie: its splits, its classes, its files. Only names are read, no image."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cnn_cli.errors import DataError
from cnn_cli.image.decode import SUFFIXES

SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
}
"""What people call the folder of a split, in lower case."""

SIGNATURE = "<qqqQ"
"""Size, mtime and ctime in nanoseconds, inode."""


class File(NamedTuple):
    """An image that has not been read."""

    path: str
    """Below the folder that was scanned."""
    label: int
    signature: bytes
    """Size, times and inode: while these 32 bytes stay the same, so does the content. Empty: it has none."""


@dataclass(frozen=True)
class Layout:
    """What a folder holds.

    Args:
        root: the folder.
        classes: names, sorted; a label is an index into them.
        splits: the images of `train` and, where they have folders of their own, of `test` and `validation`.
            Class by class, and within a class in the order of their paths.
    """

    root: Path
    classes: tuple[str, ...]
    splits: dict[str, list[File]]


def class_names(root: Path) -> tuple[str, ...]:
    """The classes of the images in `root`: its sub-folders, or those of its folder `train`.

    Raises:
        DataError: there is no such folder, it may not be read, or it holds fewer than two classes.
    """
    return _classes(_split_folders(root)["train"])


def scan(root: Path) -> Layout:
    """Find all images in `root`: files with an image's suffix, not hidden, at any depth of a class.

    Raises:
        DataError: as `class_names`; or a class or a split is empty, or a class is not among those of `train`.
    """
    folders = _split_folders(root)
    classes = _classes(folders["train"])
    splits = {}
    for split, folder in folders.items():
        inside = folder.relative_to(root).as_posix()
        splits[split] = list(_images(root, "" if inside == "." else f"{inside}/", classes))
        _check(split, folder, classes, splits[split])
    return Layout(root, classes, splits)


def _split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split. Where there is none for training, `root` itself holds the classes.

    A folder `train` is one for training only if it has sub-folders: else it may be a class of vehicles.
    """
    names = _subfolders(root)
    found: dict[str, Path] = {}
    for name in names:
        split = SPLITS.get(name.lower())
        if split in found:
            raise DataError(
                f"{root}: has two folders for {split}: {found[split].name} and {name}",
                hint="leave one of them, or put one into the other",
            )
        if split:
            found[split] = root / name
    if "train" in found and _subfolders(found["train"]):
        return found
    if names and len(found) == len(names):
        raise DataError(
            f"{root}: has the folder {names[0]}, but no folder train with one folder for each class",
            hint="images lie in train/CLASS/, and in test/CLASS/ if they are for the test alone",
        )
    return {"train": root}


def _classes(folder: Path) -> tuple[str, ...]:
    names = _subfolders(folder)
    if len(names) < 2:
        what = f"only one class, {names[0]}" if names else "no sub-folders"
        raise DataError(
            f"{folder}: has {what}", hint="there is one sub-folder for each of two or more classes"
        )
    return tuple(names)


def _check(split: str, folder: Path, classes: tuple[str, ...], files: list[File]) -> None:
    unknown = [name for name in _subfolders(folder) if name not in classes]
    if unknown:
        raise DataError(
            f"{folder / unknown[0]}: {unknown[0]} is no class of the training images",
            hint=f"those are {', '.join(classes)}",
        )
    missing = set(range(len(classes))) - {file.label for file in files} if split == "train" else set()
    empty = folder / classes[min(missing)] if missing else None if files else folder
    if empty:
        raise DataError(f"{empty}: has no images", hint="images are .png, .jpg, .webp, .tif and the like")


def _subfolders(folder: Path) -> list[str]:
    return [entry.name for entry in _entries(folder) if _is_folder(entry)]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in `folder` and is not hidden, sorted by name."""
    with _errors(folder), os.scandir(folder) as entries:
        return sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    """Say in the user's words why a folder cannot be read."""
    hint = "data.root names the folder of the images"
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
    """The images of every class that lies in `root`/`inside`; a class that is not there has none."""
    for label, name in enumerate(classes):
        if (root / inside / name).is_dir():
            paths = sorted(_walk(root, inside + name, frozenset()))
            yield from (File(path, label, signature) for path, signature in paths)


def _walk(root: Path, inside: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, bytes]]:
    """(path below root, signature) of every image below root/inside, in no order."""
    folder = root / inside
    with _errors(folder):
        status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:  # a symbolic link to a folder that it lies in
        return
    for entry in _entries(folder):
        path = f"{inside}/{entry.name}"
        if _is_folder(entry):
            yield from _walk(root, path, above | {here})
        elif f".{entry.name.rpartition('.')[2].lower()}" in SUFFIXES and _may_be_read(entry):
            yield path, _signature(entry)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # symbolic links in a circle
        return False


def _may_be_read(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link to one that is missing: that is a broken image. A pipe is neither."""
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
    """32 bytes that change with the file's content: ctime does, even where size and mtime are put back."""
    inode = status.st_ino % 2**64  # Windows has longer ones
    return struct.pack(SIGNATURE, status.st_size, status.st_mtime_ns, status.st_ctime_ns, inode)
