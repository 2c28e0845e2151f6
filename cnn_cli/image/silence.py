"""Keep C libraries from writing to the streams of the program."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silenced() -> Iterator[None]:
    """Discard what is written to the descriptors of stdout and stderr, as libtiff does on damaged files.

    What the program itself writes in the body would be lost as well. A stream that was closed when the
    program started is left alone: its descriptor may by now be that of another file.
    """
    streams = [number for number, stream in ((1, sys.__stdout__), (2, sys.__stderr__)) if stream is not None]
    kept = [os.dup(number) for number in streams]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in streams:
            os.dup2(nowhere, number)
        yield
    finally:
        for number, copy in zip(streams, kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)
