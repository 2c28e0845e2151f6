"""IDX files with your own images, under any of the usual names of MNIST's files.

`train-images-idx3-ubyte`, `train-images.idx3-ubyte`, either one compressed (.gz), or each in a folder of its
own name, as some downloads have them.
"""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cnn_cli.data import idx
from cnn_cli.data.own.arrays import Table, contents_of, images_of, labels_of
from cnn_cli.data.own.contents import Contents, role_of, split_of, unreadable, words_of
from cnn_cli.data.verify import DamagedError, extracted, is_gzip
from cnn_cli.errors import DataError
from cnn_cli.files import is_visible

MAX_BYTES = 4 * 10**9
"""Upper limit of the content of a file."""


def idx_files(root: Path) -> list[Path]:
    """Return the IDX files in a folder, and in folders that are named as such a file.

    Of several copies of the same part, the first by its name is taken, and an extracted one first.
    """
    try:
        entries = sorted(entry for entry in root.iterdir() if is_visible(entry.name) and _is_idx(entry.name))
        inner = [file for entry in entries if entry.is_dir() for file in sorted(entry.iterdir())]
    except OSError as error:
        raise unreadable(root, error) from error
    files = [file for file in (*entries, *inner) if file.is_file() and _is_idx(file.name)]
    parts: dict[tuple[str | None, str | None], Path] = {}
    for file in sorted(files, key=lambda file: file.suffix == ".gz"):
        parts.setdefault((split_of(file.name), role_of(file.name)), file)
    return list(parts.values())


def _is_idx(name: str) -> bool:
    words = words_of(name)
    return role_of(name) is not None and any(word in ("idx1", "idx3") for word in words)


def open_idx(root: Path, files: list[Path]) -> Contents:
    """Open the images and the labels of each split.

    Raises:
        DataError: a file is damaged or missing, or holds something else.
    """
    parts = {(split_of(file.name) or "train", role_of(file.name)): file for file in files}
    splits = sorted({split for split, _ in parts}, key=lambda split: split != "train")
    return contents_of(root, root, [_table(root, split, parts) for split in splits])


def _table(root: Path, split: str, parts: dict[tuple[str, str | None], Path]) -> Table:
    for role in ("images", "labels"):
        if (split, role) not in parts:
            raise DataError(
                f"{root}: has IDX files, but none with the {role} for {split}",
                hint="put train-images-idx3-ubyte and train-labels-idx1-ubyte beside each other",
            )
    images, labels = parts[split, "images"], parts[split, "labels"]
    names = labels_of(_parse(labels), str(labels))
    pixels = _parse(images)
    if len(pixels) != len(names):
        raise DataError(
            f"{images}: has {len(pixels):,} images, but {labels.name} has {len(names):,} labels",
            hint="put files of the same images beside each other",
        )
    return Table(
        images.relative_to(root).as_posix(), split, images_of(pixels, len(names), str(images)), names
    )


def _parse(file: Path) -> NDArray[Any]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error
    try:
        return idx.parse(extracted(content, MAX_BYTES) if is_gzip(content) else content, str(file))
    except DamagedError as error:
        raise DataError(f"{file}: is {error.message}", hint="download it again") from error
    except DataError as error:
        raise DataError(error.message, hint="store uint8 values: images [N, H, W] and labels [N]") from error
