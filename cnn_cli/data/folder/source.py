"""A folder of images as a data source: scanned, decoded, and split."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cnn_cli.config.schema import Data
from cnn_cli.config.sources import Folder
from cnn_cli.data import splits
from cnn_cli.data.folder.digests import Report, digests, memory_path
from cnn_cli.data.folder.layout import File, Layout, scan
from cnn_cli.data.folder.store import Place, Store, obtain
from cnn_cli.data.source import Access, LabeledImages, Source, data_root, default_root
from cnn_cli.errors import DataError
from cnn_cli.image.preprocess import InputFormat

log = logging.getLogger(__name__)

MAX_NAMED = 5
"""Maximum number of broken images that are named; of more, only the number is given."""


def open_folder(data: Data, access: Access) -> Source:
    """Open the images in `data.root`, which are decoded when they are opened for the first time.

    Raises:
        DataError: the folder does not have one subfolder per class, an image is broken and is not to be
        skipped,
            too few images are left, or the decoded images cannot be stored.
    """
    layout = scan(data_root(data))
    images = _images(layout, data, access)
    _check_classes(layout, images["train"])
    if "test" not in images:
        images["train"], images["test"] = _cut(images["train"], data.folder)
        _check_classes(layout, images["train"])
    train, test, validation = images["train"], images["test"], images.get("validation")
    _warn_of_duplicates(layout.root, train, test)
    name = f"folder {layout.root.absolute().name}"
    return Source(
        name=name,
        requested=name,
        classes=layout.classes,
        train=lambda: train,
        test=lambda: test,
        preprocessing=data.preprocessing or "photo",
        validation=None if validation is None else lambda: validation,
        paths=(layout.root,),
    )


def _images(layout: Layout, data: Data, access: Access) -> dict[str, LabeledImages]:
    """Return the images of every split that are not broken, as rows of one store."""
    files = [file for split in layout.splits.values() for file in split]
    cache = default_root() / "folders"
    contents = digests(
        layout.root, files, memory_path(cache, layout.root), _report("reading", layout.root, access)
    )
    input_format = InputFormat(data.preprocessing or "photo", data.size, data.channels)
    report = _report("decoding", layout.root, access)
    place = Place(cache, layout.root, input_format)
    store = _store(place, files, contents, data.folder.broken == "stop", report)
    problems = [store.problems.get(c) if isinstance(c, bytes) else c for c in contents]
    _report_broken(layout.root, files, problems, data.folder)
    labels = torch.tensor([file.label for file in files])
    rows = torch.tensor([store.rows.get(c, -1) if isinstance(c, bytes) else -1 for c in contents])
    good = torch.tensor([problem is None for problem in problems])
    pixels, images, start = _tensor(store.pixels), {}, 0
    for name, split in layout.splits.items():
        part = slice(start, start := start + len(split))
        kept = good[part]
        images[name] = LabeledImages(pixels, labels[part][kept], rows[part][kept])
        if not kept.any():
            raise DataError(f"{layout.root}: no image for {name} can be read")
    return images


def _store(
    place: Place, files: Sequence[File], contents: Sequence[bytes | str], stop: bool, report: Report
) -> Store:
    """Return the decoded images; each content once, however many files have it."""
    paths: dict[bytes, str] = {}
    for file, content in zip(files, contents, strict=True):
        if isinstance(content, bytes):
            paths.setdefault(content, file.path)
        elif stop:
            raise _broken(place.root, file.path, content)

    def refuse(path: str, problem: str) -> None:
        if stop:
            raise _broken(place.root, path, problem)

    return obtain(place, paths, refuse, report)


def _report(doing: str, root: Path, access: Access) -> Report:
    def report(done: int, total: int) -> None:
        if access.progress is not None:
            access.progress(f"{doing} the images in {root}", done, total)

    return report


def _tensor(pixels: np.ndarray) -> Tensor:
    """Return the mapped pixels as a tensor, which must not be written to.

    Linux refuses a private, writable map if the file is larger than memory.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.asarray(pixels))


# ---- broken images


def _broken(root: Path, path: str, problem: str) -> DataError:
    hint = "fix or remove it, or skip all broken images: data.folder.broken=skip"
    return DataError(f"{root / path}: {problem}", hint=hint)


def _report_broken(root: Path, files: Sequence[File], problems: Sequence[str | None], folder: Folder) -> None:
    """Stop at a broken image or warn of it, also if it was skipped when the store was made."""
    broken = [(file, problem) for file, problem in zip(files, problems, strict=True) if problem is not None]
    if broken and folder.broken == "stop":
        file, problem = broken[0]
        raise _broken(root, file.path, problem)
    for file, problem in broken[:MAX_NAMED]:
        log.warning("%s: %s; it is skipped", root / file.path, problem)
    if len(broken) > MAX_NAMED:
        log.warning("%s: %s images of %s are skipped", root, f"{len(broken):,}", f"{len(files):,}")


# ---- splits


def _cut(images: LabeledImages, folder: Folder) -> tuple[LabeledImages, LabeledImages]:
    """Cut the test images from all images, in proportion to the classes."""
    count = max(1, round(folder.test * len(images)))
    train, test = splits.split(images.labels, count, folder.seed)
    return images.subset(train), images.subset(test)


def _check_classes(layout: Layout, train: LabeledImages) -> None:
    counts = torch.bincount(train.labels, minlength=len(layout.classes))
    if not counts.all():
        missing = layout.classes[int(counts.argmin())]
        raise DataError(
            f"{layout.root}: no image of class {missing} is left to train on",
            hint=f"add images of {missing}, or remove its folder",
        )


def _warn_of_duplicates(root: Path, train: LabeledImages, test: LabeledImages) -> None:
    """Warn of test images that are also training images: equal contents are one row of the store."""
    if train.rows is None or test.rows is None:
        return
    known = torch.zeros(len(train.store), dtype=torch.bool)
    known[train.rows] = True
    count = int(known[test.rows].sum())
    if count:
        log.warning(
            "%s: %s of %s test images are among the training images too: accuracy will be overstated",
            root,
            f"{count:,}",
            f"{len(test):,}",
        )
