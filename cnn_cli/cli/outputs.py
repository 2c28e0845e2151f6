"""Where results may be written: never over what a command reads, and only under a name of their format."""

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.options import quoted
from cnn_cli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from cnn_cli.checkpoint.file import Checkpoint
    from cnn_cli.image.pages import ImageFile
    from cnn_cli.reading.sources import ImageSource

HTML = (".html", ".htm")
"""Endings of a report or a page."""

PNG = (".png",)
"""Endings of a drawing."""

JSON = (".json",)
"""Endings of a results file."""

Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Write a report for people as one HTML file."),
]

Outputs = Mapping[str, Path | None]
"""The files to write, by the options that name them; None where an option is not given."""


def check_output(option: str, path: Path, endings: tuple[str, ...], inputs: Iterable[Path] = ()) -> None:
    """Check the name of a result. Its ending keeps it apart from configs and checkpoints.

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
            hint=f"{option} {quoted((path if path.name else Path('result')).with_suffix(endings[0]).name)}",
        )
    keep_inputs({option: path}, inputs)


def keep_inputs(outputs: Outputs, inputs: Iterable[Path]) -> None:
    """Check that no result replaces an input.

    Args:
        outputs: the files to write.
        inputs: files that are read, or folders of such files.

    Raises:
        ConfigError: one would.
    """
    inputs = list(inputs)
    for option, path in outputs.items():
        if path is not None and os.path.lexists(path) and any(_is_below(path, read) for read in inputs):
            raise _would_replace(option, path)


def keep_checkpoints(outputs: Outputs, checkpoints: "Iterable[Checkpoint]") -> None:
    """Check that no result replaces the file of a network: any name may be that of a checkpoint.

    Raises:
        ConfigError: one would.
    """
    keep_inputs(outputs, [each.path for each in checkpoints if each.path is not None])


def keep_measured(
    drawings: Outputs, report: Path | None, checkpoints: "Iterable[Checkpoint]", data: Iterable[Path]
) -> None:
    """Check that what is written of a measurement replaces no network, and no drawing an image of its data.

    Raises:
        ConfigError: something would.
    """
    keep_checkpoints({**drawings, "--report": report}, checkpoints)
    keep_inputs(drawings, data)


def check_drawings(outputs: Outputs, inputs: Iterable[Path]) -> None:
    """Check the names of the PNGs that a command draws: different files, and none of its inputs.

    Raises:
        ConfigError: a name cannot be used.
    """
    given = [(option, path) for option, path in outputs.items() if path is not None]
    inputs = list(inputs)
    for (option, path), (other, same) in combinations(given, 2):
        if os.path.realpath(path) == os.path.realpath(same):
            raise ConfigError(f"{option} and {other} are the same file, {path}", hint="name two files")
    for option, path in given:
        check_output(option, path, PNG, inputs)


def keep_images(
    images: "Iterator[ImageSource | DataError]", outputs: Outputs
) -> "Iterator[ImageSource | DataError]":
    """Yield images, and stop with an error before one that a result would replace.

    Patterns and lists name their images only while they are read.

    Raises:
        ConfigError: a file to write is among the images.
    """
    present = [(option, path) for option, path in outputs.items() if path and os.path.lexists(path)]
    return _kept(images, present) if present else images


def _kept(
    images: "Iterator[ImageSource | DataError]", present: Sequence[tuple[str, Path]]
) -> "Iterator[ImageSource | DataError]":
    for image in images:
        file = None if isinstance(image, DataError) else _file_of(image.source)
        for option, path in present:
            if file is not None and _is_below(path, file):
                raise _would_replace(option, path)
        yield image


def _file_of(source: "ImageFile") -> Path | None:
    """Return the file of an image; None if it came through a pipe."""
    file = source if isinstance(source, Path | bytes) else source.file
    return file if isinstance(file, Path) else None


def _is_below(path: Path, read: Path) -> bool:
    """Return whether a path leads to an input, or into a folder of inputs."""
    real, top = os.path.realpath(path), os.path.realpath(read)
    return real == top or Path(top) in Path(real).parents or _is_same(path, read)


def _is_same(path: Path, other: Path) -> bool:
    """Return whether two names mean the same file, as `a.PNG` and `a.png` do on some systems."""
    try:
        return os.path.samefile(path, other)  # noqa: PTH121 (Path's raises the same)
    except OSError:  # one of them does not exist
        return False


def _would_replace(option: str, path: Path) -> ConfigError:
    return ConfigError(
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
