"""The sets of `data.idx_sets` as data sources: opened, checked, and downloaded if they are missing."""

from collections.abc import Sequence
from functools import partial

from cnn_cli.config.schema import Data
from cnn_cli.data.download import DOWNLOADS_OFF, Archive, download_archive
from cnn_cli.data.idx_files import SetFiles
from cnn_cli.data.idx_sets import IDX_SETS, IdxSet, IdxSplit
from cnn_cli.data.source import Access, LabeledImages, Source, data_root, may_download
from cnn_cli.data.verify import Check
from cnn_cli.errors import DataError


def open_idx_set(data: Data, access: Access) -> Source:
    """Open the data set `data.name`. If a file is missing or damaged, its archive is downloaded.

    Both splits are read now, one after the other, and read again when they are used: damage must not show
    after an hour of training, and both together may be large.

    Raises:
        DataError: it is not complete in the root and cannot be downloaded, or cannot be written.
    """
    root, published = data_root(data), IDX_SETS[data.name]
    files = SetFiles(root, published)
    files.warn_of_damage()
    faults = files.faults()
    if faults:
        _obtain(data, access, published, faults)
        files = SetFiles(root, published)
        _raise_first(data, files.faults())
    files.write_extracted()
    train, test = (partial(_load, data.name, files, split) for split in published.splits.values())
    return Source(
        data.name, data.name, published.classes, train, test, published.preprocessing, paths=files.paths
    )


def check_idx_set(data: Data) -> list[Check]:
    """Verify the files in the root and read both splits; nothing is downloaded or written."""
    files = SetFiles(data_root(data), IDX_SETS[data.name])
    return files.check()


def _load(name: str, files: SetFiles, split: IdxSplit) -> LabeledImages:
    try:
        return files.images(split)
    except DataError as error:
        raise DataError(f"{name} in {files.root} was changed after it was opened: {error}") from error


# ---- downloading


def _obtain(data: Data, access: Access, published: IdxSet, faults: Sequence[Check]) -> None:
    """Download the archives of all parts that cannot be used.

    Raises:
        DataError: an archive cannot be downloaded or written; the message also names the first fault.
    """
    root, mirrors = data_root(data), list(published.mirrors)
    try:
        if not may_download(data):
            raise DataError(DOWNLOADS_OFF)
        for archive in _needed(published, faults):
            mirror = download_archive(archive, root, mirrors, progress=access.progress, limits=access.limits)
            mirrors.sort(key=mirror.__ne__)  # this one first: a dead one is waited for only once
    except DataError as error:
        hint = error.hint or _hint(data, published)
        raise DataError(
            f"{data.name} is not in {root}: {_text(faults[0])}; {error.message}", hint=hint
        ) from error


def _needed(published: IdxSet, faults: Sequence[Check]) -> list[Archive]:
    """Return the archives of the faulty files and splits, in the set's order."""
    parts = {part.part for part in faults}
    for name, split in published.splits.items():
        if name in parts:
            parts |= {split.images, split.labels}
    needed = {published.archive_of(file) for file in published.files if file in parts}
    return [archive for archive in published.archives if archive in needed]


def _raise_first(data: Data, faults: Sequence[Check]) -> None:
    if faults:
        hint = _hint(data, IDX_SETS[data.name])
        raise DataError(f"{data.name} is not in {data_root(data)}: {_text(faults[0])}", hint=hint)


def _text(fault: Check) -> str:
    return f"{fault.part} is {fault.state}" + (f" ({fault.detail})" if fault.state == "damaged" else "")


def _hint(data: Data, published: IdxSet) -> str:
    names = ", ".join(archive.name for archive in published.archives)
    return (
        f"run `cnn data get data.name={data.name}` where there is a network, or put {names} into "
        f"{data_root(data) / published.folder}"
    )
