"""Small versions of the published data sets: files of the real formats with a few images, and archives."""

import bz2
import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cnn_cli.config.schema import Data
from cnn_cli.data.idx_sets import IDX_SETS
from cnn_cli.data.sources import open_source
from cnn_cli.data.vision_sets import VISION_SETS

COUNTS = {"train": 60, "test": 40}
GRAY = ("fashion-mnist", "kmnist", "emnist-digits", "emnist-letters", "qmnist")
COLOR = ("svhn", "cifar10")
NAMES = (*GRAY, "usps", *COLOR)
KINDS = dict(
    zip(
        NAMES,
        ("FashionMNIST", "KMNIST", "EMNIST", "EMNIST", "QMNIST", "USPS", "SVHN", "CIFAR10"),
        strict=True,
    )
)
ARGUMENTS: dict[str, Any] = {
    "emnist-digits": lambda split: {"split": "digits", "train": split == "train"},
    "emnist-letters": lambda split: {"split": "letters", "train": split == "train"},
    "svhn": lambda split: {"split": split},
}
"""The arguments of torchvision's class for a split, where they are not `train=True` or `train=False`."""


def pixels(name: str, split: str) -> NDArray[np.uint8]:
    """Return upright images uint8 [N, H, W] or [N, H, W, 3], all different."""
    side = 16 if name == "usps" else 32 if name in COLOR else 28
    shape = (COUNTS[split], side, side) + ((3,) if name in COLOR else ())
    return np.random.default_rng([NAMES.index(name), COUNTS[split]]).integers(0, 256, shape, np.uint8)


def labels(name: str, split: str) -> NDArray[np.int64]:
    """Return labels int64 [N], from 0; every class has at least one image."""
    classes = 26 if name == "emnist-letters" else 10
    return (np.arange(COUNTS[split]) * 7 + len(split)) % classes


def idx(array: NDArray[Any]) -> bytes:
    """Return an idx file of bytes or of integers."""
    code, kind = {1: (8, ">u1"), 4: (12, ">i4")}[array.dtype.itemsize]
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape) + array.astype(kind).tobytes()


def files(name: str) -> dict[str, bytes]:
    """Return the files that torchvision reads: path below the root -> content."""
    return {path: content for split in COUNTS for path, content in split_files(name, split).items()}


@cache
def split_files(name: str, split: str) -> dict[str, bytes]:
    """Return the files of one split. They are made once, because scipy writes the time into its files."""
    images, numbers = pixels(name, split), labels(name, split)
    if name in GRAY:
        return _idx_pair(name, split, images, numbers)
    if name == "usps":
        return {"usps.bz2" if split == "train" else "usps.t.bz2": bz2.compress(libsvm(images, numbers))}
    if name == "svhn":
        return {f"{split}_32x32.mat": _matlab(images, numbers)}
    return {
        f"cifar-10-batches-py/{path}": pickle.dumps(part) for path, part in _batches(split, images, numbers)
    }


def _idx_pair(
    name: str, split: str, images: NDArray[np.uint8], numbers: NDArray[np.int64]
) -> dict[str, bytes]:
    raw, prefix = f"{KINDS[name]}/raw", "train" if split == "train" else "t10k"
    if name == "qmnist":
        rows = np.stack([numbers.astype(np.int32)] + 7 * [np.arange(len(numbers), dtype=np.int32) + 99], 1)
        return {
            f"{raw}/qmnist-{split}-images-idx3-ubyte": idx(images),
            f"{raw}/qmnist-{split}-labels-idx2-int": idx(rows),
        }
    if name.startswith("emnist"):
        prefix, images = f"{name}-{split}", images.transpose(0, 2, 1)
        numbers = numbers + 1 if name == "emnist-letters" else numbers
    return {
        f"{raw}/{prefix}-images-idx3-ubyte": idx(images),
        f"{raw}/{prefix}-labels-idx1-ubyte": idx(numbers.astype(np.uint8)),
    }


def libsvm(images: NDArray[np.uint8], numbers: NDArray[np.int64]) -> bytes:
    """Return lines `label index:value ...`, with labels from 1 and values from -1 to 1."""
    rows = images.reshape(len(images), -1) / 127.5 - 1
    texts = (" ".join(f"{i}:{value:.6f}" for i, value in enumerate(row, 1)) for row in rows)
    return "".join(f"{number + 1} {text} \n" for number, text in zip(numbers, texts, strict=True)).encode()


def _matlab(images: NDArray[np.uint8], numbers: NDArray[np.int64]) -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    column = np.where(numbers == 0, 10, numbers).astype(np.uint8)[:, None]
    savemat(file, {"X": images.transpose(1, 2, 3, 0), "y": column}, do_compression=True)
    return file.getvalue()


def _batches(split: str, images: NDArray[np.uint8], numbers: NDArray[np.int64]) -> list[tuple[str, dict]]:
    names = [f"data_batch_{i}" for i in range(1, 6)] if split == "train" else ["test_batch"]
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    animals = ["bird", "cat", "deer", "dog", "frog", "horse"]
    meta = {"label_names": ["airplane", "automobile", *animals, "ship", "truck"]}
    parts = zip(np.split(rows, len(names)), np.split(numbers, len(names)), strict=True)
    batches = [{"data": data, "labels": part.tolist()} for data, part in parts]
    return [*zip(names, batches, strict=True), ("batches.meta", meta)]


def archives(name: str) -> dict[str, bytes]:
    """Return the files on the set's web site: path below the root -> content."""
    content = files(name)
    if name.startswith("emnist"):
        content = files("emnist-digits") | files("emnist-letters")
        zipped = {path: gzip.compress(data, mtime=0) for path, data in content.items()}
        members = {f"gzip/{Path(path).name}.gz": data for path, data in zipped.items()}
        return {"EMNIST/raw/gzip.zip": _zip(members)}
    if name in GRAY:
        return {f"{path}.gz": gzip.compress(data, mtime=0) for path, data in content.items()}
    return {"cifar-10-python.tar.gz": _tar(content)} if name == "cifar10" else content


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for path, data in members.items():
            target.writestr(zipfile.ZipInfo(path), data)
    return file.getvalue()


def _tar(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as target:
        for path, data in members.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            target.addfile(entry, io.BytesIO(data))
    return gzip.compress(file.getvalue(), mtime=0)


def lay(content: dict[str, bytes], root: Path) -> None:
    """Write the files below `root`."""
    for path, data in content.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def torchvisions(name: str, root: Path, split: str) -> Any:
    """Return torchvision's own data set."""
    from torchvision import datasets

    arguments = ARGUMENTS.get(name, lambda split: {"train": split == "train"})(split)
    return getattr(datasets, KINDS[name])(root, **arguments)


def publish(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, content: dict[str, bytes] | None = None
) -> None:
    """Give the small set to torchvision and this program as the real one: change addresses and MD5 sums."""
    from torchvision import datasets

    kind = getattr(datasets, KINDS[name])
    sums = {Path(path).name: _md5(data) for path, data in (content or files(name) | archives(name)).items()}
    changes: dict[str, Any] = {}
    if name in ("fashion-mnist", "kmnist"):
        changes = {"mirrors": [url], "resources": [(file, sums[file]) for file, _ in kind.resources]}
    elif name == "qmnist":
        changes["resources"] = {
            part: [(f"{url}{Path(old).name}", sums.get(Path(old).name)) for old, _ in pair]
            for part, pair in kind.resources.items()
        }
    elif name.startswith("emnist"):
        changes = {"url": f"{url}gzip.zip", "md5": sums["gzip.zip"]}
    elif name == "cifar10":
        changes = {"url": f"{url}{kind.filename}", "tgz_md5": sums[kind.filename]}
        for which in ("train_list", "test_list"):
            changes[which] = [[file, sums[file]] for file, _ in getattr(kind, which)]
        changes["meta"] = kind.meta | {"md5": sums["batches.meta"]}
    else:
        changes["split_list"] = {
            part: [f"{url}{file}", file, sums.get(file)] for part, (_, file, _) in kind.split_list.items()
        }
    for attribute, value in changes.items():
        monkeypatch.setattr(kind, attribute, value)
    _publish_sha256(monkeypatch, name, content or archives(name))
    if name in IDX_SETS:
        published = IDX_SETS[name]
        known = tuple(replace(archive, md5=sums[archive.name]) for archive in published.archives)
        monkeypatch.setitem(IDX_SETS, name, replace(published, archives=known, mirrors=(url,)))


def download(name: str, root: Path, url: str) -> None:
    """Download the small set, in a process of its own."""
    publish(pytest.MonkeyPatch(), name, url)
    open_source(Data(name=name, root=str(root)))


def _publish_sha256(monkeypatch: pytest.MonkeyPatch, name: str, content: dict[str, bytes]) -> None:
    if name in VISION_SETS:
        published = VISION_SETS[name]
        sums = {
            file: hashlib.sha256(content[file]).hexdigest() for file in published.sha256 if file in content
        }
        monkeypatch.setitem(VISION_SETS, name, replace(published, sha256=sums))


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
