"""The standard streams at the start of the program: all three are open, and stdout is for results alone."""

import io
import os
import sys


def set_up() -> None:
    """Open the streams that a shell closed, and keep everybody else's output away from stdout.

    Without the first, the next file that is opened gets the number of a closed stream, and what is printed
    goes into it; `print` to a closed stderr even writes to stdout. Then stdout gets a new number, and
    the old one leads to stderr: a library in C that prints, or a child process, writes there.
    """
    for number in range(3):
        _open_if_closed(number)
    if sys.stderr is None:
        sys.stderr = _writer(2)
    encoding = sys.stdout.encoding if isinstance(sys.stdout, io.TextIOWrapper) else "utf-8"
    results = os.dup(1)
    os.dup2(2, 1)
    # A file name may hold undecodable bytes.
    sys.stdout = _writer(results, encoding)


def leave_stderr() -> None:
    """Write what stderr still holds. Where it is full or nobody reads it, that is dropped.

    Otherwise Python tries again while it shuts down, and the exit code becomes 120.
    """
    try:
        sys.stderr.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stderr.fileno())


def _open_if_closed(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
        os.set_inheritable(number, True)


def _writer(number: int, encoding: str = "utf-8") -> io.TextIOWrapper:
    stream = open(number, "w", encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    stream.reconfigure(line_buffering=stream.isatty())
    return stream
