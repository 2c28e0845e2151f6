"""Calls that let no library warn, also where several threads are in one at the same time."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_inside: list[Any] = []
"""The one `catch_warnings` of all calls that are running, once for each of them."""


@contextmanager
def no_warnings() -> Iterator[None]:
    """Ignore Python's warnings until the last of the calls that overlap has returned.

    `warnings.catch_warnings` works on the whole process. If several threads use it, one that enters later and
    leaves last restores filters that another one had set.
    """
    with _lock:
        if not _inside:
            catcher = warnings.catch_warnings()
            catcher.__enter__()
            warnings.simplefilter("ignore")
        else:
            catcher = _inside[0]
        _inside.append(catcher)
    try:
        yield
    finally:
        with _lock:
            _inside.pop()
            if not _inside:
                catcher.__exit__(None, None, None)
