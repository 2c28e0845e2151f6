"""Ctrl-C and SIGTERM: each ends the program at any moment, a training after its current step.

A signal raises `Interruption`, so that temporary files are removed and the terminal is as before. While torch
computes or a library waits, Python handles no signal; and a library may swallow the exception. A thread that
the system wakes up at each signal therefore ends the process if that takes too long. All files are written
atomically: there is nothing else to clean up. While a module is imported, nothing is raised, and the process
ends at once: torch's C++ imports modules of Python, and some of it aborts the process if one of them raises.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from cnn_cli import distributed
from cnn_cli.errors import ExitCode, Interruption

CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}

ENDINGS = {ExitCode.INTERRUPTED: "interrupted", ExitCode.TERMINATED: "terminated"}
"""What a command says that a signal has ended."""

IMPORT = "<frozen importlib._bootstrap>"
"""The file that the frames of an import name: Python's own code for it."""

GRACE = 3.0
"""Seconds that the program has to end after a signal, unless it is a training."""


class _State:
    """What this process knows about its signals."""

    received: ExitCode | None = None
    """The exit code of the first signal; None before it."""
    raised: ExitCode | None = None
    """The exit code of the first signal that has raised `Interruption`."""
    count = 0
    deferred = False
    """Whether a training runs, which stops by itself after a step."""


_state = _State()


def received() -> ExitCode | None:
    """Return the exit code of the first signal that has arrived, or None."""
    return _state.received


def handle_signals() -> None:
    """From here on a signal raises `Interruption`, and the process ends soon, whatever it does.

    A signal that the parent process told us to ignore, as for `cnn ... &` in a script, stays ignored.
    """
    if os.name == "posix":  # Windows wakes up sockets only
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=_watch, args=(reader,), name="signals", daemon=True).start()
    for number in CODES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)


def leave_to_system() -> None:
    """From here on a signal ends the process as the system does it: Python itself is about to end."""
    for number in CODES:
        if signal.getsignal(number) is _handle:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def stop_requests() -> Iterator[Callable[[], ExitCode | None]]:
    """Record signals within the context; yield a function that returns the first one's exit code or None.

    The second signal exits at once.
    """
    previous = {number: signal.getsignal(number) for number in CODES}
    _state.deferred = True
    for number, handler in previous.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _handle)
    try:
        yield received
    finally:
        _state.deferred = False
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def raised_again() -> Iterator[None]:
    """Raise `Interruption` in the place of what a library makes of it, such as an error of its own."""
    try:
        yield
    except Exception as error:
        if _state.raised:
            raise Interruption(_state.raised) from error
        raise


def _handle(number: int, frame: FrameType | None) -> None:
    code = _note(number)
    if not _state.deferred:
        if _is_importing(frame):
            _exit_at_once(code)
        _state.raised = _state.raised or code
        raise Interruption(code)
    if _state.count > 1:
        _exit_unless_torchrun(code)
    elif distributed.world_size() == 1:  # torchrun also stops the others of a process that has failed
        _say("stopping after this step; press Ctrl-C again to exit at once")


def _note(number: int) -> ExitCode:
    code = CODES[signal.Signals(number)]
    _state.count += 1
    _state.received = _state.received or code
    return code


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether a module is imported where the signal came."""
    while frame:
        if frame.f_code.co_filename == IMPORT:
            return True
        frame = frame.f_back
    return False


def _exit_at_once(code: ExitCode) -> None:
    """Say which signal has ended the command, and exit with what is printed by then."""
    with suppress(Exception):  # the import may be that of what says it
        _say(ENDINGS[code])
    with suppress(Exception):  # nobody may read the results any more
        sys.stdout.flush()
    _leave(code)


def _leave(code: ExitCode) -> None:
    """Exit without the end of Python; the terminal's cursor, which a bar hides, is there again."""
    console = sys.modules.get("cnn_cli.console")  # nothing is imported: that may be what takes so long
    with suppress(Exception):
        if console:
            console.show_cursor()
    os._exit(code)


def _exit_unless_torchrun(code: ExitCode) -> None:
    """Exit at once. Torchrun repeats the terminal's signal itself, and kills what takes too long."""
    if distributed.world_size() == 1:
        _leave(code)


def _say(text: str) -> None:
    """Write a message from a signal handler, where `print` may fail because it was interrupted itself."""
    from cnn_cli import console

    if not console.is_quiet():
        with suppress(OSError):
            os.write(2, f"{text}\n".encode())


def _watch(reader: int) -> None:
    """Wait for signals; end the process if it does not end by itself."""
    arrived = 0
    while True:
        for number in os.read(reader, 64):
            if number not in CODES:
                continue
            arrived += 1
            code = CODES[signal.Signals(number)]
            if not _state.deferred:
                time.sleep(GRACE)
                if not _state.deferred:
                    _leave(code)
            elif arrived > 1:
                time.sleep(GRACE)
                _exit_unless_torchrun(code)
