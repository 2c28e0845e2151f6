"""`cnn predict`."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.options import Json
from cnn_cli.errors import CnnError, ConfigError, DataError, ExitCode

if TYPE_CHECKING:
    from cnn_cli.tools.predict import Picture, Prediction

STDIN = Path("-")


def predict(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE", help="Picture files, folders of them, or - for stdin."),
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            "-k",
            help="A checkpoint file or a run's folder. Without it: $CNN_CHECKPOINT, else the newest finished "
            "run in ./checkpoints, else the network that ships.",
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
) -> None:
    """Read the digit in each picture, or with --many all digits of each.

    A picture that cannot be read gets an error line; the others are read, and the exit code is 3.
    """
    from cnn_cli import console
    from cnn_cli.cli.many import show_texts
    from cnn_cli.engine.checkpoint import read
    from cnn_cli.tools.choose import choose_checkpoint
    from cnn_cli.tools.predict import predict as read_pictures

    if annotated is not None and not many:
        raise ConfigError("--annotate needs --many", hint="say cnn predict --many --annotate OUT.png PICTURE")
    file = choose_checkpoint(checkpoint)
    network = read(file)
    console.message(f"using {file} ({network.config.name}, trained on {network.data})")
    origin = {"checkpoint": str(file), "trained_on": network.data}
    if many:
        show_texts(network, list(_pictures(paths)), annotated, origin, as_json)
        return
    failed = False
    for result in read_pictures(network, _pictures(paths)):
        if isinstance(result, CnnError):
            failed = True
            console.error(result)
        else:
            _show(result, origin, as_json)
    if failed:
        raise typer.Exit(ExitCode.DATA)


def _pictures(paths: Sequence[Path]) -> "Iterator[Picture | DataError]":
    from cnn_cli.tools.predict import Picture, find_pictures

    for path in paths:
        if path == STDIN:
            yield Picture("-", sys.stdin.buffer.read() if sys.stdin else b"")  # a shell can close it: <&-
        else:
            yield from find_pictures([path])


def _show(prediction: "Prediction", origin: dict[str, str], as_json: bool) -> None:
    from cnn_cli import console

    if as_json:
        console.json_line(asdict(prediction) | origin)
    else:
        console.line(f"{prediction.path}: {prediction.label} ({prediction.confidence:.1%})")
