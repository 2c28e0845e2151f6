"""Pictures made ready for the network: here for a moment, then on all cores; in batches, in their order."""

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from cnn_cli.data.folder.workers import each
from cnn_cli.errors import DataError
from cnn_cli.image.prepare import Form, Seen, look_all
from cnn_cli.tools.pictures import Picture

PATIENCE = 0.4
"""Seconds of work after which other processes are asked for help: so long it takes one to start."""

Item = TypeVar("Item")
Batch = list[tuple[Picture | DataError, Seen | DataError]]


def prepared(
    pictures: Iterable[Picture | DataError], form: Form, size: int, explain: bool = False
) -> Generator[Batch, None, None]:
    """Look at pictures, `size` at a time; no more of them are held than the processes work on.

    Args:
        pictures: what is looked at; an error stays where it is.
        form: what is made of each.
        size: pictures of a batch.
        explain: whether to gather the findings as well.

    Raises:
        DataError: a process was killed.
    """
    function, batches = partial(look_all, form=form, explain=explain), _batches(pictures, size)
    spent = 0.0
    for batch in batches:
        started = time.perf_counter()
        results = function(_sources(batch))
        spent += time.perf_counter() - started
        yield _joined(batch, results)
        if spent > PATIENCE:
            break
    handed: deque[list[Picture | DataError]] = deque()

    def jobs() -> Iterator[list[tuple[str, Path | bytes]]]:
        for batch in batches:
            handed.append(batch)
            yield _sources(batch)

    with closing(each(function, jobs())) as outcomes:
        for results in outcomes:
            yield _joined(handed.popleft(), results)


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch


def _sources(batch: Sequence[Picture | DataError]) -> list[tuple[str, Path | bytes]]:
    return [(item.name, item.source) for item in batch if isinstance(item, Picture)]


def _joined(batch: Sequence[Picture | DataError], results: Sequence[Seen | DataError]) -> Batch:
    """Each picture with what came of it; an error with itself."""
    waiting = iter(results)
    return [(item, item if isinstance(item, DataError) else next(waiting)) for item in batch]
