"""The label and the split of each image in a folder or an archive, from names alone.

Three layouts are known: one folder for each class, a flat folder with `labels.csv`, and a flat folder of
images whose names begin with their label.
"""

import logging
import re
from collections.abc import Iterator

from cnn_cli.config.choices import UNSURE
from cnn_cli.data.own.contents import SPLITS, Entry, natural_key
from cnn_cli.data.own.labels_list import read_labels
from cnn_cli.data.own.tree import LIST, Tree, join
from cnn_cli.errors import DataError

log = logging.getLogger(__name__)

PREFIX = re.compile(r"([^_-]+)[_-]")
"""The start of a name such as `5_0001.png`: the label, up to the first underscore or hyphen."""


def arrange(tree: Tree, top: str = "") -> list[Entry]:
    """Return the images of all splits with their labels; in each split class by class, then by path.

    Args:
        tree: the names in a folder or an archive.
        top: the path in it that the layout begins at.

    Raises:
        DataError: no layout fits, or a class or a split is empty, or `train` lacks a class.
    """
    folders = _split_folders(tree, top)
    classes: list[str] = []
    entries: list[Entry] = []
    for split, folder in sorted(folders.items(), key=lambda pair: pair[0] != "train"):
        found = list(_labeled(tree, folder, split, classes))
        if not found:
            raise _no_images(tree, folder)
        classes = classes or sorted({entry.label for entry in found}, key=natural_key)
        _check_classes(tree, folder, classes, found)
        order = {name: place for place, name in enumerate(classes)}
        entries += sorted(found, key=lambda entry: (order[entry.label], entry.name))
    return entries


def _split_folders(tree: Tree, top: str) -> dict[str, str]:
    """Return the folder of each split. Without a training folder, `top` itself holds the images.

    A folder `train` among others holds training images only if it has subfolders or a list of labels:
    otherwise it may be a class of vehicles.
    """
    names = tree.subfolders(top)
    folders: dict[str, str] = {}
    for name in names:
        split = SPLITS.get(name.lower())
        if split in folders:
            raise DataError(
                f"{tree.place(top)}: has two folders for {split}: {folders[split].rpartition('/')[2]} "
                f"and {name}",
                hint="keep one of them, or move one into the other",
            )
        if split:
            folders[split] = join(top, name)
    only_splits = bool(names) and len(folders) == len(names)
    train = folders.get("train")
    if train is not None and (only_splits or tree.subfolders(train) or join(train, LIST) in tree.files):
        return folders
    if only_splits:
        raise DataError(
            f"{tree.place(top)}: has the folder {names[0]}, but no folder train with a folder for each class",
            hint="put the images into train/CLASS/, and into test/CLASS/ those for the test alone",
        )
    return {"train": top}


def _labeled(tree: Tree, folder: str, split: str, classes: list[str]) -> Iterator[Entry]:
    """Yield the images of a split by the layout of its folder, in any order."""
    if join(folder, LIST) in tree.files:
        for path, label in read_labels(tree, folder):
            yield Entry(path, label, split, tree.files[path])
    elif _class_names(tree, folder):
        _note_unsure(tree, folder)
        yield from _in_class_folders(tree, folder, split, classes)
    else:
        for path in tree.images(folder):
            yield Entry(path, _prefix(tree, path), split, tree.files[path])


def _in_class_folders(tree: Tree, folder: str, split: str, classes: list[str]) -> Iterator[Entry]:
    """Yield the images at any depth of each class folder.

    Args:
        tree: the names.
        folder: the folder of the class folders.
        split: the split.
        classes: the classes of the training images; empty: every folder is a class.

    Raises:
        DataError: a folder is no class, a class is empty, or the classes are one level deeper.
    """
    names = _class_names(tree, folder)
    _check_level(tree, folder, names)
    for name in names:
        paths = tree.images_below(join(folder, name))
        if classes and name not in classes:
            raise _unknown_class(tree, join(folder, name), name, classes)
        if not paths and not classes:
            raise _no_images(tree, join(folder, name))
        for path in paths:
            yield Entry(path, name, split, tree.files[path])


def _class_names(tree: Tree, folder: str) -> list[str]:
    """Return the names of the class folders: all but that of `cnn predict --sort-into`."""
    return [name for name in tree.subfolders(folder) if name != UNSURE]


def _note_unsure(tree: Tree, folder: str) -> None:
    """Warn of images that `cnn predict --sort-into` was not sure of and that nobody has sorted since."""
    unsorted = tree.images_below(join(folder, UNSURE))
    if unsorted:
        place = tree.place(join(folder, UNSURE))
        log.warning("%s: is no class; its images are left out: %s", place, f"{len(unsorted):,}")


def _check_level(tree: Tree, folder: str, names: list[str]) -> None:
    """Refuse `train/train/0`: a single folder that holds all classes."""
    inner = join(folder, names[0])
    if len(names) == 1 and len(tree.subfolders(inner)) > 1 and not tree.images(inner):
        raise DataError(
            f"{tree.place(folder)}: the folders of the classes are one level deeper, in {tree.place(inner)}",
            hint=f"data.root={tree.place(inner)}, or move its folders up",
        )


def _prefix(tree: Tree, path: str) -> str:
    match = PREFIX.match(path.rpartition("/")[2])
    if match is None:
        raise DataError(
            f"{tree.place(path)}: has no label",
            hint=f"make one folder for each class, or a {LIST} with the columns file and label, or let names "
            "begin with the label, as in 5_0001.png",
        )
    return match[1]


def _check_classes(tree: Tree, folder: str, classes: list[str], entries: list[Entry]) -> None:
    for entry in entries:
        if entry.label not in classes:
            raise _unknown_class(tree, entry.name, entry.label, classes)


def _unknown_class(tree: Tree, path: str, name: str, classes: list[str]) -> DataError:
    return DataError(
        f"{tree.place(path)}: {name} is not a class of the training images",
        hint=f"their classes are {', '.join(classes)}",
    )


def _no_images(tree: Tree, folder: str) -> DataError:
    return DataError(
        f"{tree.place(folder)}: has no images",
        hint="put images there (.png, .jpg, .webp, .tif or similar), or remove the folder",
    )
