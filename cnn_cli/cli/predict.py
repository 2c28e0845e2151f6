"""`cnn predict`."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.options import Json
from cnn_cli.errors import CnnError, DataError, ExitCode

if TYPE_CHECKING:
    from cnn_cli.tools.predict import Picture, Prediction

STDIN = Path("-")

MIN_CONFIDENCE = 0.6
"""An answer is sure from this probability on. Chosen with `benchmarks/unsure.py --development`: of a LeNet
with `data.strangers=0.3`, 1.0 % of the validation digits lie below it, and 96 % of what is no digit."""


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
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Below this probability the answer is unsure (0.5 is 50 %).")
    ] = MIN_CONFIDENCE,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with code 5 if any answer is unsure.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read the digit in each picture.

    A picture that cannot be read gets an error line; the others are read, and the exit code is 3.
    """
    from cnn_cli import console
    from cnn_cli.engine.checkpoint import read
    from cnn_cli.tools.choose import choose_checkpoint
    from cnn_cli.tools.predict import predict as read_pictures

    file = choose_checkpoint(checkpoint)
    network = read(file)
    console.message(f"using {file} ({network.config.name}, trained on {network.data})")
    failed = unsure = False
    for result in read_pictures(network, _pictures(paths), min_confidence):
        if isinstance(result, CnnError):
            failed = True
            console.error(result)
        else:
            unsure = unsure or not result.sure
            _show(result, {"checkpoint": str(file), "trained_on": network.data}, as_json)
    if failed:
        raise typer.Exit(ExitCode.DATA)
    if strict and unsure:
        raise typer.Exit(ExitCode.UNSURE)


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
        label, share = prediction.label, f"{prediction.confidence:.1%}"
        answer = f"{label} ({share})" if prediction.sure else f"unsure ({label} at {share})"
        console.line(f"{prediction.path}: {answer}")
