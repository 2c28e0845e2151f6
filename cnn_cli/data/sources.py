"""Data sets by name. A source is one function that turns options into a `Source`."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from cnn_cli.data import idx, mnist, vision
from cnn_cli.data.published import SETS
from cnn_cli.data.source import DIGITS, Options, Pictures, Source
from cnn_cli.data.verify import Check, PublishedFile
from cnn_cli.errors import ConfigError, DataError

__all__ = ["SOURCES", "Options", "Pictures", "Source", "check_source", "classes_of", "open_source"]

log = logging.getLogger(__name__)

FALLBACK_WARNING = (
    "%s cannot be had: its fallback, %s digits, is used instead. Every result will say so, and no accuracy "
    "bar is satisfied by it.\nwhy: %s%s"
)


def open_source(name: str, options: Options, fallback: str | None = None) -> Source:
    """Open the data set `name`, or its fallback where it cannot be had.

    The choice is made here, once: the training and test pictures of one source are always of one kind. A
    fallback stands in only for a data set of its own classes, and never for a folder of one's own.

    Args:
        name: a key of `SOURCES`.
        options: what it is opened with.
        fallback: what to use, with a warning, where `name` cannot be had; None makes that an error.

    Raises:
        ConfigError: no source has that name.
        DataError: the data cannot be had, and `fallback` does not help.
    """
    opener = _named(name)
    try:
        return opener(options)
    except DataError as error:
        if fallback in (None, name) or name == "folder":
            raise
        if classes_of(fallback, options) != classes_of(name, options):
            why = f"{error.message}; {fallback} digits cannot stand in for {name}, which has other classes"
            raise DataError(why, hint=error.hint) from error
        hint = f"\nhint: {error.hint}" if error.hint else ""
        log.warning(FALLBACK_WARNING, name, fallback, error.message, hint)
    return replace(SOURCES[fallback](options), requested=name)


def check_source(name: str, options: Options) -> list[Check]:
    """What can be proven of the data set `name` where it lies; nothing is downloaded.

    Raises:
        ConfigError: no source has that name.
        DataError: it cannot be looked at; for pictures that nobody published, what `open_source` raises.
    """
    opener = _named(name)
    if name in _CHECKS:
        return _CHECKS[name](options)
    source = opener(options)
    path = source.paths[0] if source.paths else options.root
    return [
        Check(part, path, "ok", f"{len(make()):,} pictures, {len(source.classes)} classes")
        for part, make in source.splits.items()
    ]


def _named(name: str) -> Callable[[Options], Source]:
    if name not in SOURCES:
        raise ConfigError(f"there is no data source {name!r}; there are {', '.join(SOURCES)}")
    return SOURCES[name]


def classes_of(name: str, options: Options) -> tuple[str, ...]:
    """The class names of the data set `name`, without opening it."""
    if name == "folder":
        from cnn_cli.data.folder.layout import class_names

        return class_names(options.root)
    return _CLASSES[name]


def _mnist(options: Options) -> Source:
    """The MNIST database. All four files are verified now: damage must not show after an hour of training."""
    files = mnist.obtain(options.root, options.mirrors, options.progress, limits=options.limits)

    def pictures(images: PublishedFile, labels: PublishedFile) -> Pictures:
        pixels = idx.parse(files[images].content, images.name)  # uint8 [N, 28, 28]
        digits = idx.parse(files[labels].content, labels.name)  # uint8 [N]
        return Pictures(torch.from_numpy(pixels).unsqueeze(1), torch.from_numpy(digits).long())

    train = partial(pictures, mnist.TRAIN_IMAGES, mnist.TRAIN_LABELS)
    test = partial(pictures, mnist.TEST_IMAGES, mnist.TEST_LABELS)
    return Source("mnist", "mnist", DIGITS, train, test, paths=tuple(file.path for file in files.values()))


def _synthetic(options: Options) -> Source:
    """Digits that are drawn here. Training takes the even seeds and testing the odd ones.

    So the test pictures of one seed are the training pictures of no other.
    """

    def pictures(count: int, seed: int) -> Pictures:
        from cnn_cli.data import synthetic  # drawing needs more imports than a source that only reads

        images, labels = synthetic.load(options.root, count, seed)  # uint8 [N, 28, 28], uint8 [N]
        return Pictures(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels).long())

    train = partial(pictures, options.synthetic.train, 2 * options.synthetic.seed)
    test = partial(pictures, options.synthetic.test, 2 * options.synthetic.seed + 1)
    return Source("synthetic", "synthetic", DIGITS, train, test)


def _folder(options: Options) -> Source:
    from cnn_cli.data.folder.source import open_folder  # it imports Pillow and what starts processes

    return open_folder(options)


_CLASSES = {"mnist": DIGITS, "synthetic": DIGITS, **{name: SETS[name].classes for name in SETS}}

SOURCES: dict[str, Callable[[Options], Source]] = {
    "mnist": _mnist,
    **{name: partial(vision.open_set, name) for name in SETS},
    "folder": _folder,
    "synthetic": _synthetic,
}
"""The names that a config may use for `data.name`."""

_CHECKS: dict[str, Callable[[Options], list[Check]]] = {
    "mnist": lambda options: mnist.check(options.root),
    **{name: partial(vision.check, name) for name in SETS},
}
"""Those whose files were published; of the others one can only see whether they open."""
