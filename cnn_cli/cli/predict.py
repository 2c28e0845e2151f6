"""`cnn predict`."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BufferedIOBase, BufferedReader, BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from cnn_cli.cli.options import Json
from cnn_cli.errors import CnnError, ConfigError, DataError, ExitCode

if TYPE_CHECKING:
    from cnn_cli.cli.answers import Sheets, Show
    from cnn_cli.tools.pictures import Picture
    from cnn_cli.tools.predict import Prediction

STDIN = Path("-")

MIN_CONFIDENCE = 0.8
"""An answer is sure from this probability on. Chosen with `benchmarks/unsure.py --development`: of the
network that ships, 0.9 % of the validation digits lie below it, and 97 % of what is no digit."""


def predict(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PICTURE",
            help="Picture files, folders of them at any depth, patterns such as 'scans/**/*.png', "
            "or - for a picture on stdin.",
        ),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint",
            "-k",
            help="A checkpoint file, a run's folder or the name of a network that ships; given several "
            "times, the mean of their probabilities. "
            "Without it: $CNN_CHECKPOINT, else the newest finished run in ./checkpoints, else the network "
            "that ships.",
        ),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Below this probability the answer is unsure (0.5 is 50 %).")
    ] = MIN_CONFIDENCE,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 5 if any answer is unsure.")
    ] = False,
    files_from: Annotated[
        Path | None,
        typer.Option(
            metavar="LIST",
            help="Read the pictures that this file names, one a line (or one before each NUL, as "
            "find -print0 writes them); - for stdin.",
        ),
    ] = None,
    many: Annotated[
        bool,
        typer.Option(
            "--many",
            help="Read pictures of many digits: rows from top to bottom, in each from left to right. "
            "Digits alone: spaces, points, commas and signs are left out.",
        ),
    ] = False,
    annotated: Annotated[
        Path | None,
        typer.Option(
            "--annotate",
            metavar="OUT.png",
            help="With --many and one picture: draw a box and its label around each digit into a PNG.",
        ),
    ] = None,
    as_json: Json = False,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="Write CSV to stdout: a header, then path, label, confidence and sure."),
    ] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw what the network saw, with its readings, into this PNG.")
    ] = None,
    show_input: Annotated[
        Path | None,
        typer.Option(help="Draw each original beside what the network saw of it into this PNG."),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Say each decision between a picture and the network's input: on stderr, with --json "
            "as findings in the object.",
        ),
    ] = False,
) -> None:
    """Read the digit in each picture, or with --many all digits of each.

    A picture that cannot be read gets an error line; the others are read, and the exit code is 3. Thousands
    are decoded on all cores; the answers come in the order of the pictures.
    """
    from cnn_cli import console
    from cnn_cli.cli.answers import Sheets, shower
    from cnn_cli.engine.checkpoint import read
    from cnn_cli.engine.committee import together
    from cnn_cli.tools.choose import choose_checkpoints
    from cnn_cli.tools.predict import predict as read_pictures

    _check_inputs(paths or [], files_from)
    _check_many(
        many, annotated, {"--csv": as_csv, "--sheet": sheet, "--show-input": show_input, "--explain": explain}
    )
    files = choose_checkpoints(checkpoint or [])
    file = " + ".join(map(str, files))
    network = together([read(path) for path in files])
    console.message(f"using {file} ({network.config.name}, trained on {network.data})")
    origin = {"checkpoint": file, "trained_on": network.data}
    pictures = _pictures(paths or [], files_from)
    if many:
        from cnn_cli.cli.many import show_texts

        failed, unsure = show_texts(network, list(pictures), annotated, origin, as_json, min_confidence)
    else:
        sheets = Sheets(sheet, show_input)
        show = shower(as_json, as_csv, explain, origin)
        results = read_pictures(network, pictures, min_confidence, explain or sheets.needs_findings)
        failed, unsure = _show_answers(results, show, sheets)
        sheets.write(network.preparation)
    if failed:
        raise typer.Exit(ExitCode.DATA)
    if strict and unsure:
        raise typer.Exit(ExitCode.UNSURE)


def _show_answers(
    results: "Iterable[Prediction | CnnError]", show: "Show", sheets: "Sheets"
) -> tuple[bool, bool]:
    """Show each answer as it comes; say whether any picture could not be read, and any answer is unsure."""
    from cnn_cli import console

    failed = unsure = False
    for result in results:
        if isinstance(result, CnnError):
            failed = True
            console.error(result)
        else:
            unsure = unsure or not result.sure
            show(result)
            sheets.add(result)
    return failed, unsure


def _check_many(many: bool, annotated: Path | None, others: Mapping[str, object]) -> None:
    """What shows many digits, and what shows one, are asked for apart."""
    if annotated is not None and not many:
        raise ConfigError("--annotate needs --many", hint="say cnn predict --many --annotate OUT.png PICTURE")
    given = [option for option, value in others.items() if value]
    if many and given:
        raise ConfigError(f"--many does not go with {given[0]}", hint="use --json, or --annotate OUT.png")


def _check_inputs(paths: Sequence[Path], files_from: Path | None) -> None:
    """There is something to read, and stdin is one thing only."""
    if not paths and files_from is None:
        raise ConfigError("predict needs a PICTURE or --files-from", hint="cnn predict picture.png")
    if [*paths, files_from].count(STDIN) > 1:
        raise ConfigError("stdin holds one picture or one list", hint="name - once")


def _pictures(paths: Sequence[Path], files_from: Path | None) -> "Iterator[Picture | DataError]":
    from cnn_cli.tools.pictures import Picture, find_pictures, listed

    for path in paths:
        if path == STDIN:
            yield Picture("-", _stdin().read())
        else:
            yield from find_pictures([path])
    if files_from == STDIN:
        yield from listed(_stdin(), "stdin")
    elif files_from is not None:
        with _opened(files_from) as file:
            yield from listed(file, str(files_from))


def _stdin() -> BufferedIOBase:
    return cast(BufferedIOBase, sys.stdin.buffer) if sys.stdin else BytesIO()  # a shell can close it: <&-


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror or error}",
            hint="--files-from takes a file with one path a line, or - for stdin",
        ) from None
