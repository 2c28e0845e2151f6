"""Ctrl-C and SIGTERM: the first stops the run after the current step, the second exits at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from cnn_cli import console, distributed
from cnn_cli.errors import ExitCode

CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


@contextmanager
def stop_requests() -> Iterator[Callable[[], ExitCode | None]]:
    """Record signals within the context; yield a function that returns the first one's exit code or None."""
    requested: list[ExitCode] = []

    def handle(number: int, frame: FrameType | None) -> None:
        code = CODES[signal.Signals(number)]
        if requested and distributed.world_size() > 1:
            return  # torchrun repeats the terminal's signal; it kills a process that takes too long
        if requested:
            os._exit(code)  # all files are written atomically: there is nothing to clean up
        requested.append(code)
        console.message("stopping after this step; press Ctrl-C again to exit at once")

    previous = {number: signal.signal(number, handle) for number in CODES}
    try:
        yield lambda: requested[0] if requested else None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
