"""Preprocess images in batches, in order: first in this process, then on all cores."""

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from typing import TypeVar

from cnn_cli.errors import DataError
from cnn_cli.image.pages import ImageFile
from cnn_cli.image.preprocess import InputFormat, NetworkInput, preprocess_all
from cnn_cli.reading.sources import ImageSource
from cnn_cli.workers import map_ordered

START_WORKERS_AFTER = 0.4
"""Seconds of work before worker processes are started: about the time that one takes to start."""

Item = TypeVar("Item")
Batch = list[tuple[ImageSource | DataError, NetworkInput | DataError]]


def preprocess_batches(
    images: Iterable[ImageSource | DataError], input_format: InputFormat, size: int, explain: bool = False
) -> Generator[Batch, None, None]:
    """Preprocess images, `size` at a time. Images are taken only as fast as they are processed.

    Args:
        images: the images; an error keeps its place.
        input_format: what each image is turned into.
        size: images per batch.
        explain: whether to add explanations.

    Raises:
        DataError: a worker process was killed.
    """
    function = partial(preprocess_all, input_format=input_format, explain=explain)
    batches = _batches(images, size)
    spent = 0.0
    for batch in batches:
        started = time.perf_counter()
        results = function(_sources(batch))
        spent += time.perf_counter() - started
        yield _pair(batch, results)
        if spent > START_WORKERS_AFTER:
            break
    submitted: deque[list[ImageSource | DataError]] = deque()

    def jobs() -> Iterator[list[tuple[str, ImageFile]]]:
        for batch in batches:
            submitted.append(batch)
            yield _sources(batch)

    with closing(map_ordered(function, jobs())) as outcomes:
        for results in outcomes:
            yield _pair(submitted.popleft(), results)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def _sources(batch: Sequence[ImageSource | DataError]) -> list[tuple[str, ImageFile]]:
    return [(item.printable_name, item.source) for item in batch if isinstance(item, ImageSource)]


def _pair(batch: Sequence[ImageSource | DataError], results: Sequence[NetworkInput | DataError]) -> Batch:
    """Pair each image with its result, and each error with itself."""
    remaining = iter(results)
    return [(item, item if isinstance(item, DataError) else next(remaining)) for item in batch]
