"""NumPy's files: `.npz` with images and labels under any of their common names, or a `.npy` for each."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli.data.own.arrays import Table, contents_of, images_of, labels_of
from cnn_cli.data.own.contents import Contents, explained, role_of, split_of
from cnn_cli.errors import DataError
from cnn_cli.text import one_line

MAX_BYTES = 8 * 10**9
"""Upper limit of the numbers in a file, in bytes."""

DAMAGE = (
    *(ValueError, KeyError, TypeError, EOFError, NotImplementedError, MemoryError, RuntimeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What NumPy and zipfile raise for a damaged file, and for one that needs pickle."""

HINT = "store x_train and y_train (and x_test and y_test), or images and labels"

Arrays = Mapping[str, NDArray[Any]]


def open_npz(root: Path, file: Path) -> Contents:
    """Open an .npz file: keras' mnist.npz, scikit-learn's `data` and `target`, and the like.

    Raises:
        DataError: it cannot be read, or has no images with labels.
    """
    arrays = _npz(file)
    tables = [
        _table(file.name, split, arrays, *names)
        for split, names in _pairs(list(arrays), arrays, file).items()
    ]
    return contents_of(root, file.parent, tables)


def open_npy(root: Path, files: Sequence[Path]) -> Contents:
    """Open .npy files such as `x_train.npy` and `y_train.npy`.

    Raises:
        DataError: one cannot be read, or images or labels are missing.
    """
    arrays = {file.stem: _npy(file) for file in files}
    pairs = _pairs(list(arrays), arrays, files[0].parent)
    tables = [_table(f"{names[0]}.npy", split, arrays, *names) for split, names in pairs.items()]
    return contents_of(root, files[0].parent, tables)


def _table(name: str, split: str, arrays: Arrays, images: str, labels: str) -> Table:
    names = labels_of(arrays[labels], f"{name}: {labels}")
    return Table(name, split, images_of(arrays[images], len(names), f"{name}: {images}"), names)


def _pairs(names: Sequence[str], arrays: Arrays, place: Path) -> dict[str, tuple[str, str]]:
    """Return the names of the images and of the labels for each split.

    Of two arrays with the same images, as in scikit-learn's files, the one with more axes is taken.
    """
    found: dict[str, dict[str, str]] = {}
    for name in sorted(names, key=lambda name: arrays[name].ndim):
        role = role_of(name)
        if role is not None:
            found.setdefault(split_of(name) or "train", {})[role] = name
    pairs = {split: roles for split, roles in found.items() if len(roles) == 2}
    if "train" not in pairs and not pairs:
        raise DataError(
            f"{place}: has no images with labels, but {', '.join(map(repr, names)) or 'nothing'}", hint=HINT
        )
    return {split: (roles["images"], roles["labels"]) for split, roles in pairs.items()}


def _npz(file: Path) -> dict[str, NDArray[Any]]:
    with explained(file, DAMAGE, partial(_broken, file)):
        with zipfile.ZipFile(file) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > MAX_BYTES:
            raise DataError(f"{file}: holds {size:,} bytes, and {MAX_BYTES:,} are the limit", hint=HINT)
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files if role_of(name)}


def _npy(file: Path) -> NDArray[Any]:
    with explained(file, DAMAGE, partial(_broken, file)):
        array: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
        return array


def _broken(file: Path, error: Exception) -> DataError:
    if "allow_pickle" in str(error) or "pickle" in str(error):
        return DataError(
            f"{file}: holds pickled objects, which may run any code and are never loaded",
            hint="store arrays of numbers: array.astype('uint8')",
        )
    return DataError(
        f"{file}: is damaged or cut short ({one_line(error)})", hint="store or download it again"
    )
