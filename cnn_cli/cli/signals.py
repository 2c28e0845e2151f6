"""Ctrl-C and SIGTERM: the first asks the run to stop at the next step, the second leaves at once."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from cnn_cli import console
from cnn_cli import distributed as distributed
from cnn_cli.errors import ExitCode

CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


@contextmanager
def stop_requests() -> Iterator[Callable[[], ExitCode | None]]:
    """Within the context, a signal is noted; the function that is yielded tells its exit code, or None."""
    requested: list[ExitCode] = []

    def note(number: int, frame: FrameType | None) -> None:
        code = CODES[signal.Signals(number)]
        if requested and distributed.world_size() > 1:
            return  # torchrun passes on what the terminal has sent already; it kills whoever takes too long
        if requested:
            os._exit(code)  # all files are written atomically: there is nothing to clean up
        requested.append(code)
        console.message("stopping after this step; once more to leave at once")

    previous = {number: signal.signal(number, note) for number in CODES}
    try:
        yield lambda: requested[0] if requested else None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
