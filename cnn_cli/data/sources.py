"""Data sets by name. A source is one function that turns the config's `data` section into a `Source`."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from cnn_cli.config.choices import DataName
from cnn_cli.config.schema import Data
from cnn_cli.data import idx, mnist
from cnn_cli.data.idx_sets import IDX_SETS
from cnn_cli.data.idx_source import check_idx_set, open_idx_set
from cnn_cli.data.source import DIGITS, Access, LabeledImages, Source, data_root, default_root, may_download
from cnn_cli.data.verify import Check, PublishedFile
from cnn_cli.data.vision import check_vision_set, is_there, open_vision_set
from cnn_cli.data.vision_sets import VISION_SETS
from cnn_cli.errors import DataError

log = logging.getLogger(__name__)

Opener = Callable[[Data, Access], Source]

FALLBACK_WARNING = (
    "%s is not available; using built-in %s digits instead. Every result says so, and they satisfy no "
    "accuracy bar.\nreason: %s%s"
)


def open_source(data: Data, access: Access | None = None) -> Source:
    """Open the data set that the config names, or its fallback if it is not available.

    The choice is made once, here, so the training and test images of one source always belong together. A
    fallback replaces only a data set with the same classes, and never your own data.

    Args:
        data: the config's section.
        access: the listener of the progress, and time limits of a download.

    Raises:
        DataError: the data is not available, and there is no fallback for it.
    """
    access, data = access or Access(), with_name(data)
    has_fallback = data.fallback not in ("none", data.name) and data.name not in ("own", "lines")
    fallback = data.fallback if has_fallback else None
    try:
        source = _open(data, access)
    except DataError as error:
        if fallback is None:
            raise
        source = _open_fallback(data, access, fallback, error)
    return replace(source, preprocessing=data.preprocessing or source.preprocessing)


def with_name(data: Data, default: DataName = "mnist") -> Data:
    """Return the section with the data set that is meant by `auto`: your own data, or `default`.

    A root with MNIST in it means MNIST, whatever else lies there.
    """
    if data.name != "auto":
        return data
    root = data_root(data)
    own = data.root is not None and not mnist.is_there(root) and is_own(root)
    return data.model_copy(update={"name": "own" if own else default})


def _open(data: Data, access: Access) -> Source:
    """Open the data set of this name; nothing is ever downloaded into a folder with your own data."""
    if data.name not in PUBLISHED or data.root is None or not is_own(data_root(data)):
        return SOURCES[data.name](data, access)
    try:
        return SOURCES[data.name](data.model_copy(update={"download": False}), access)
    except DataError as error:
        if any(part.state == "damaged" for part in _CHECKS[data.name](data)):
            raise  # it is that set, with damaged files
        raise DataError(
            f"{data_root(data)}: holds data of your own, and {data.name} is not there",
            hint=f"leave data.name out to use your data, or name the folder of {data.name}: data.root=FOLDER",
        ) from error


def _open_fallback(data: Data, access: Access, name: str, error: DataError) -> Source:
    if _CLASSES[name] != classes_of(data):
        reason = f"{error.message}; {name} digits cannot replace {data.name}, which has other classes"
        raise DataError(reason, hint=error.hint) from error
    hint = f"\nhint: {error.hint}" if error.hint else ""
    log.warning(FALLBACK_WARNING, data.name, name, error.message, hint)
    return replace(SOURCES[name](data, access), requested=data.name)


def check_source(data: Data) -> list[Check]:
    """Verify the data set in its folder, as far as that is possible; nothing is downloaded.

    Raises:
        DataError: it cannot be read; for images that were not published, the errors of `open_source`.
    """
    data = with_name(data)
    if data.name in _CHECKS:
        return _CHECKS[data.name](data)
    return check_opened(SOURCES[data.name](data, Access()), data)


def check_opened(source: Source, data: Data) -> list[Check]:
    """Return the state of each split of a source that was opened with these settings: it is there."""
    path = source.paths[0] if source.paths else data_root(data)
    return [
        Check(part, path, "ok", f"{len(load()):,} images, {len(source.classes)} classes")
        for part, load in source.splits.items()
    ]


def stored(data: Data) -> Data:
    """Return the settings of the data that is stored; of lines, those of the digits that they are made of."""
    if data.name != "lines":
        return data
    return data.model_copy(update={"name": data.lines.digits, "preprocessing": None})


def classes_of(data: Data) -> tuple[str, ...]:
    """Return the class names of the data set, without opening it.

    Raises:
        DataError: it is data of your own that cannot be read.
    """
    data = with_name(data)
    if data.name == "own":
        from cnn_cli.data.own.catalog import contents_at

        return contents_at(data_root(data)).classes
    if data.name == "lines":
        from cnn_cli.data.lines.blocks import CLASSES

        return CLASSES
    return _CLASSES[data.name]


def _mnist(data: Data, access: Access) -> Source:
    """Open MNIST. All four files are verified now: damage must not show after an hour of training."""
    mirrors = data.mirrors if may_download(data) else ()
    files = mnist.obtain(data_root(data), mirrors, access.progress, limits=access.limits)

    def load(images: PublishedFile, labels: PublishedFile) -> LabeledImages:
        pixels = idx.parse(files[images].content, images.name)  # uint8 [N, 28, 28]
        digits = idx.parse(files[labels].content, labels.name)  # uint8 [N]
        return LabeledImages(torch.from_numpy(pixels).unsqueeze(1), torch.from_numpy(digits).long())

    train = partial(load, mnist.TRAIN_IMAGES, mnist.TRAIN_LABELS)
    test = partial(load, mnist.TEST_IMAGES, mnist.TEST_LABELS)
    return Source("mnist", "mnist", DIGITS, train, test, paths=tuple(file.path for file in files.values()))


def _synthetic(data: Data, _: Access) -> Source:
    """Open the built-in digits. Training uses the even seeds and testing the odd ones.

    So the test images of one seed are the training images of no other.
    """

    root = data_root(data) if data.root is None or not is_own(data_root(data)) else default_root()

    def load(count: int, seed: int) -> LabeledImages:
        from cnn_cli.data import synthetic  # imported here, since only drawing needs it

        images, labels = synthetic.load(root, count, seed)  # uint8 [N, 28, 28], uint8 [N]
        return LabeledImages(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())

    train = partial(load, data.synthetic.train, 2 * data.synthetic.seed)
    test = partial(load, data.synthetic.test, 2 * data.synthetic.seed + 1)
    return Source("synthetic", "synthetic", DIGITS, train, test)


def _own(data: Data, access: Access) -> Source:
    from cnn_cli.data.own.source import open_own  # it imports Pillow and worker processes

    return open_own(data, access)


def is_own(root: Path) -> bool:
    """Return whether data of your own lies at a root.

    Raises:
        DataError: the root cannot be read.
    """
    from cnn_cli.data.own.forms import is_own as is_own_data  # only a data root that is named needs it

    return is_own_data(root)


def _lines(data: Data, access: Access) -> Source:
    """Open the lines, which are composed of the digits of another set; a fallback replaces those."""
    from cnn_cli.data.lines.source import open_lines  # composing needs imports that most runs do not

    return open_lines(data, open_source(stored(data), access))


_CLASSES = {
    "mnist": DIGITS,
    "synthetic": DIGITS,
    **{name: published.classes for name, published in IDX_SETS.items()},
    **{name: published.classes for name, published in VISION_SETS.items()},
}

SOURCES: dict[str, Opener] = {
    "mnist": _mnist,
    **dict.fromkeys(IDX_SETS, open_idx_set),
    **dict.fromkeys(VISION_SETS, open_vision_set),
    "own": _own,
    "synthetic": _synthetic,
    "lines": _lines,
}
"""The names that a config may use for `data.name`, apart from `auto`."""

_CHECKS: dict[str, Callable[[Data], list[Check]]] = {
    "mnist": lambda data: mnist.check(data_root(data)),
    **dict.fromkeys(IDX_SETS, check_idx_set),
    **dict.fromkeys(VISION_SETS, check_vision_set),
}
"""The data sets whose files were published. The others can only be opened to check them."""

PUBLISHED = tuple(_CHECKS)
"""The names of those data sets."""


def check_stored() -> dict[str, list[Check]]:
    """Verify the published data sets of which a file is in the data folder: their parts by name.

    Raises:
        DataError: a package that reads one of them cannot be used.
    """
    settings = [Data(name=name) for name in PUBLISHED]
    stored = [data for data in settings if data.name not in VISION_SETS or is_there(data)]
    states = {data.name: check_source(data) for data in stored}
    return {name: parts for name, parts in states.items() if any(part.path for part in parts)}
