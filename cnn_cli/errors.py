"""The errors of the program: what is wrong, how to fix it, and the exit code for scripts."""

from enum import IntEnum
from pathlib import Path

from cnn_cli.text import printable

MAX_LINE = 1_000
"""Upper limit in characters of a line of a message, which may quote text from outside."""


MAX_KEY = 60
"""Upper limit in characters of a key in a message."""


class ExitCode(IntEnum):
    """What the process returns. Scripts depend on these values, so they never change."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    DATA = 3
    BELOW_BAR = 4
    UNSURE = 5
    INTERRUPTED = 130
    TERMINATED = 143


class CnnError(Exception):
    """An error that the user can fix. Every module may raise it; only the command line prints it.

    Args:
        message: one line that says what is wrong and where. Names and values from outside may be part of it:
            what is not printable is escaped, and the middle of a long line is left out.
        hint: one line that says how to fix it.
    """

    code: ExitCode = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = printable(message, MAX_LINE)
        self.hint = hint and printable(hint, MAX_LINE)
        super().__init__(self.message)


class ConfigError(CnnError):
    """An invalid config, override or option. Its message has one line for each problem.

    Args:
        problems: one line each, which says what is wrong and where.
        hint: one line that says how to fix it.
    """

    code = ExitCode.USAGE

    def __init__(self, *problems: str, hint: str | None = None) -> None:
        super().__init__("", hint=hint)
        self.message = "\n".join(printable(problem, MAX_LINE) for problem in problems)
        self.args = (self.message,)


class DataError(CnnError):
    """Input that cannot be read: images, data sets, checkpoints."""

    code = ExitCode.DATA


class BelowBarError(CnnError):
    """An accuracy below the bar that the user set, or that an export has."""

    code = ExitCode.BELOW_BAR


class MismatchError(CnnError):
    """An exported file that does not answer like the network that it was made of; it is not kept."""

    code = ExitCode.FAILURE


class StoppedError(CnnError):
    """A run that the user or the system stopped, after everything was saved."""

    def __init__(self, message: str, *, hint: str, code: ExitCode) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Interruption(KeyboardInterrupt):
    """A signal that ends the program, raised where it arrives.

    Args:
        code: the exit code.
    """

    def __init__(self, code: ExitCode) -> None:
        super().__init__()
        self.code = code


class NetworkError(ConfigError):
    """A network whose layers do not fit together.

    Args:
        path: the place in the config, such as ("model", "layers", 4, "pool").
        problem: what does not fit, with the shapes.
    """

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(f"{dotted(path)}: {problem}")
        self.path = path
        self.problem = problem


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python, NumPy, torch or the system's loader says that memory ran out."""
    words = ("can't allocate memory", "cannot allocate memory", "out of memory")
    text = str(error).lower()
    kinds = (RuntimeError, OSError, ImportError)
    return isinstance(error, MemoryError) or (
        isinstance(error, kinds) and any(word in text for word in words)
    )


def unwritable(path: Path, error: OSError) -> DataError:
    """Return the error about a file, named by the user for a result, that cannot be written."""
    return DataError(
        f"{path}: cannot be written: {error.strerror or error}",
        hint="name a file in a folder that can be written to",
    )


def dotted(path: tuple[str | int, ...]) -> str:
    """Return a place in a config as people write it: `model.layers[4].pool`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{printable(part, MAX_KEY)}" for part in path)
    return text.removeprefix(".")
