"""Where results may be written: never over what a command reads."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from cnn_cli.errors import ConfigError

HTML = (".html", ".htm")
"""Endings of a report."""

Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Write a report for people as one HTML file."),
]


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


def check_report(path: Path | None) -> None:
    """Check the file of `--report`, if it is given, before anything slow starts."""
    if path is not None:
        check_output("--report", path, HTML)


def command_line(command: str, arguments: Sequence[str], split: str, report: Path) -> str:
    """Return the command that writes a report again."""
    options = ["--report", str(report), *([] if split == "test" else ["--split", split])]
    return shlex.join(["cnn", command, *arguments, *options])
