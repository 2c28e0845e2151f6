"""The images that `cnn predict` and `cnn read` are given: paths, patterns, stdin, lists of names."""

import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedIOBase, BufferedReader, BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, cast

import typer

from cnn_cli.errors import CnnError, ConfigError, DataError, ExitCode
from cnn_cli.text import printable

if TYPE_CHECKING:
    from cnn_cli.reading.image_text import ImageText
    from cnn_cli.reading.line_reader import LineReader
    from cnn_cli.reading.predict import Prediction
    from cnn_cli.reading.reader import Reader
    from cnn_cli.reading.sources import ImageSource

Answer = TypeVar("Answer", "Prediction", "ImageText")
AnyReader = TypeVar("AnyReader", "Reader", "LineReader")

STDIN = Path("-")

Images = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="IMAGE",
        help="Image files, pages of them such as scan.tif#2, tables with an image in each row (.csv), "
        "folders at any depth, patterns such as 'scans/**/*.png', or - for an image on stdin.",
    ),
]
MinConfidence = Annotated[
    float,
    typer.Option(
        min=0, max=1, metavar="NUMBER", help="Below this probability an answer is unsure (0.5 is 50 %)."
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with code 5 if any answer is unsure.")]
FilesFrom = Annotated[
    Path | None,
    typer.Option(
        metavar="LIST",
        help="Read the images that this file names, one per line (or NUL-separated, as find -print0 writes "
        "them); - for stdin.",
    ),
]
ContactSheet = Annotated[
    Path | None,
    typer.Option(metavar="OUT.png", help="Draw what the network read, with its answers, into this PNG."),
]
ShowInput = Annotated[
    Path | None,
    typer.Option(metavar="OUT.png", help="Draw each original beside what the network read into this PNG."),
]
Explain = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Explain what was found in each image: on stderr, with --json as `explanation` in the object.",
    ),
]


def open_named_reader(named: Sequence[Path]) -> "tuple[Reader, str]":
    """Open the reader of the named checkpoints, or the default one, and return it with its file names."""
    from cnn_cli.checkpoint.choose import choose_checkpoints
    from cnn_cli.reading.reader import open_reader

    files = choose_checkpoints(named, lines=False)
    return _announced(open_reader(files), files)


def open_named_line_reader(named: Sequence[Path]) -> "tuple[LineReader, str]":
    """Open the network for lines, likewise."""
    from cnn_cli.checkpoint.choose import choose_checkpoints
    from cnn_cli.reading.line_reader import open_line_reader

    files = choose_checkpoints(named, lines=True)
    return _announced(open_line_reader(files), files)


def _announced(reader: AnyReader, files: Sequence[Path]) -> tuple[AnyReader, str]:
    """Say what reads, and return it with its file names."""
    from cnn_cli import console

    names = " + ".join(map(str, files))
    console.message(f"using {printable(names)} ({reader.name}, trained on {printable(reader.trained_on)})")
    return reader, names


def show_results(
    results: "Iterable[Answer | CnnError]", listeners: "Sequence[Callable[[Answer], None]]", strict: bool
) -> ExitCode:
    """Pass each answer to the listeners as it comes, and show each error. Return the command's exit code."""
    from cnn_cli import console

    code = ExitCode.OK
    for result in results:
        if isinstance(result, CnnError):
            code = ExitCode.DATA
            console.error(result)
            continue
        if strict and not result.confident and code == ExitCode.OK:
            code = ExitCode.UNSURE
        for listener in listeners:
            listener(result)
    return code


def check_inputs(command: str, paths: Sequence[Path], files_from: Path | None) -> None:
    """Check that there is something to read, and that stdin is used once."""
    if not paths and files_from is None:
        raise ConfigError(f"{command} needs an IMAGE or --files-from", hint=f"cnn {command} image.png")
    if [*paths, files_from].count(STDIN) > 1:
        raise ConfigError("stdin holds one image or one list", hint="name - once")


def single_image(
    paths: Sequence[Path], files_from: Path | None
) -> "tuple[bool, Iterator[ImageSource | DataError]]":
    """Return whether the command line names one image alone, and the images that it names.

    It does not if it names a folder, a pattern, a list, or a file of several pages.
    """
    images = named_images(paths, files_from)
    if len(paths) != 1 or files_from is not None:
        return False, images
    name = str(paths[0])
    is_pattern = glob.has_magic(name) and not os.path.lexists(name)
    if is_pattern or os.path.isdir(name):  # noqa: PTH112 (Path.is_dir raises on a name that is too long)
        return False, images
    first = list(islice(images, 2))
    return len(first) == 1, chain(first, images)


def named_images(paths: Sequence[Path], files_from: Path | None) -> "Iterator[ImageSource | DataError]":
    """Yield the images that the command line names, in its order."""
    from cnn_cli.reading.lists import listed
    from cnn_cli.reading.sources import find_images

    for path in paths:
        yield from _on_stdin() if path == STDIN else find_images([path])
    if files_from == STDIN:
        yield from listed(_stdin(), "stdin")
    elif files_from is not None:
        with _opened(files_from) as file:
            yield from listed(file, str(files_from))


def _on_stdin() -> "Iterator[ImageSource | DataError]":
    """Yield the image on stdin, or its pages."""
    from cnn_cli.image.opening import read_whole
    from cnn_cli.reading.sources import pages_of

    try:
        yield from pages_of("-", read_whole(_stdin(), "stdin"))
    except DataError as error:
        yield error


def _stdin() -> BufferedIOBase:
    return cast(BufferedIOBase, sys.stdin.buffer) if sys.stdin else BytesIO()  # a shell can close it: <&-


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(
            f"{printable(str(path))}: cannot be read: {error.strerror or error}",
            hint="--files-from takes a file with one path per line, or - for stdin",
        ) from None
