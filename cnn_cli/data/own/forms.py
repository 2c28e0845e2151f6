"""The forms of your own data, and which of them lies at a data root: the one place that decides."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cnn_cli.data.own import archive, table
from cnn_cli.data.own.archive import open_archive
from cnn_cli.data.own.contents import Contents, Encoded, by_split, role_of, unreadable
from cnn_cli.data.own.idx_pairs import idx_files, open_idx
from cnn_cli.data.own.layout import arrange
from cnn_cli.data.own.numpy_files import open_npy, open_npz
from cnn_cli.data.own.parquet import open_parquet
from cnn_cli.data.own.table import open_tables
from cnn_cli.data.own.tree import holds_images, tree_of
from cnn_cli.errors import DataError
from cnn_cli.files import is_visible

KNOWN = (
    "a folder with one subfolder for each class, or with labels.csv; a zip or tar of one; "
    "a table (.csv, .csv.gz); .npz; IDX files; .parquet"
)
"""The forms, for a hint."""


class Form(NamedTuple):
    """A form of data that lies in a few files, each with many images.

    Args:
        find: returns the files of this form at a data root, a file or a folder; none: it is another form.
        open: opens them.
    """

    find: Callable[[Path], list[Path]]
    open: Callable[[Path, list[Path]], Contents]


def _named(*endings: str) -> Callable[[Path], list[Path]]:
    """Return a function that finds the files with these endings: the root itself, or files right in it.

    Of several in a folder, those count whose names tell their split, as `train.csv` and `test.csv` do.
    """

    def find(root: Path) -> list[Path]:
        if not root.is_dir():
            return [root] if root.name.lower().endswith(endings) else []
        files = [file for file in _files(root) if file.name.lower().endswith(endings)]
        return [file for named in by_split(files).values() for file in named]

    return find


def _archive(root: Path) -> list[Path]:
    return [root] if root.is_file() and root.name.lower().endswith(archive.SUFFIXES) else []


def _npy(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return [file for file in _files(root) if file.suffix.lower() == ".npy" and role_of(file.stem)]


FORMS = (
    Form(_archive, lambda root, files: open_archive(root)),
    Form(lambda root: idx_files(root) if root.is_dir() else [], open_idx),
    Form(_named(".parquet"), open_parquet),
    Form(_named(*table.SUFFIXES), open_tables),
    Form(_named(".npz"), lambda root, files: open_npz(root, files[0])),
    Form(_npy, open_npy),
)
"""The forms in files, in the order in which they are looked for. Images in a folder come first."""


def is_own(root: Path) -> bool:
    """Return whether your own data lies at a data root.

    Raises:
        DataError: the root cannot be read.
    """
    if not root.exists():
        return bool(root.suffix)  # a mistyped name of a file: opening it says so
    return root.is_file() or holds_images(root) or any(form.find(root) for form in FORMS)


def files_of(root: Path) -> tuple[Form | None, list[Path]]:
    """Return the form of the data at a root, and its files; (None, []) for images in a folder.

    Raises:
        DataError: the root cannot be read, or there is no data in a known form.
    """
    if root.is_dir() and holds_images(root):
        return None, []
    for form in FORMS:
        files = form.find(root)
        if files:
            return form, files
    raise _unknown(root)


def open_contents(root: Path) -> Contents:
    """Return the labeled images at a data root, whatever their form.

    Raises:
        DataError: they cannot be read, or no form fits.
    """
    form, files = files_of(root)
    return in_folder(root) if form is None else form.open(root, files)


def in_folder(root: Path) -> Contents:
    """Return the labeled images in a folder.

    Raises:
        DataError: it cannot be read, or no layout fits.
    """
    entries = arrange(tree_of(root))

    def sources(indices: Sequence[int]) -> Iterator[tuple[int, Encoded]]:
        yield from ((index, root / entries[index].name) for index in indices)

    return Contents(root, root, entries, sources)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if is_visible(file.name) and file.is_file())
    except OSError as error:
        raise unreadable(folder, error) from error


def _unknown(root: Path) -> DataError:
    if not root.exists():
        return DataError(f"{root}: no such file or folder", hint="set data.root to your data")
    if root.is_file():
        return DataError(f"{root}: is not data in a known form", hint=f"data.root may be {KNOWN}")
    inner = [file for file in _files(root) if file.name.lower().endswith(archive.SUFFIXES)]
    hint = f"data.root={inner[0]}" if inner else f"data.root may be {KNOWN}"
    return DataError(f"{root}: has no images", hint=hint)
