"""The program's own errors: what the user did, how to mend it, and the exit code that scripts see."""

from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What the process returns; scripts branch on these, so their values never change."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    DATA = 3
    BELOW_BAR = 4
    UNSURE = 5
    INTERRUPTED = 130
    TERMINATED = 143


class CnnError(Exception):
    """An error that the user can mend. Only the command line prints it; every other module raises it.

    Args:
        message: one line that says what is wrong and where.
        hint: one line that says how to mend it.
    """

    code: ExitCode = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(CnnError):
    """A config, an override or an option that cannot be used. Its message has one line a problem."""

    code = ExitCode.USAGE


class DataError(CnnError):
    """Input that cannot be read: images, data sets, checkpoints."""

    code = ExitCode.DATA


class BelowBarError(CnnError):
    """The accuracy is lower than the bar that the user set."""

    code = ExitCode.BELOW_BAR


class StoppedError(CnnError):
    """The user or the system asked the run to stop; everything is saved."""

    def __init__(self, message: str, *, hint: str, code: ExitCode) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class NetworkError(ConfigError):
    """A network that cannot be built.

    Args:
        path: the place in the config, such as ("model", "layers", 4, "pool").
        problem: what does not fit, with the shapes.
    """

    def __init__(self, path: tuple[str | int, ...], problem: str) -> None:
        super().__init__(f"{dotted(path)}: {problem}")
        self.path = path
        self.problem = problem


def unwritable(path: Path, error: OSError) -> DataError:
    """A file that the user named for a result cannot be written."""
    return DataError(
        f"{path}: cannot be written: {error.strerror or error}",
        hint="name a file in a folder that can be written to",
    )


def dotted(path: tuple[str | int, ...]) -> str:
    """A place in a config as people write it: `model.layers[4].pool`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
