"""Where results may be written: never over what a command reads."""

from collections.abc import Iterable
from pathlib import Path

from cnn_cli.errors import ConfigError

HTML = (".html", ".htm")
"""Endings of a report."""


def check_output(option: str, path: Path, endings: tuple[str, ...], inputs: Iterable[Path] = ()) -> None:
    """Check that a result replaces no input. Configs and checkpoints are safe because of their endings.

    Args:
        option: the option that names the file, for messages.
        path: the file to write.
        endings: those that the file's name may have, such as `.html`.
        inputs: files that are read, or folders of such files.

    Raises:
        ConfigError: the file has another ending, or is one of the inputs.
    """
    if path.suffix.lower() not in endings:
        raise ConfigError(
            f"{option} {path}: the name must end in {' or '.join(endings)}",
            hint=f"{option} {path.with_suffix(endings[0]).name or 'result' + endings[0]}",
        )
    if path.exists() and any(path.resolve().is_relative_to(read.resolve()) for read in inputs):
        raise ConfigError(
            f"{option} {path}: would replace a file that is read", hint="name a file in another folder"
        )
