"""`cnn read`."""

from pathlib import Path
from typing import Annotated

import typer

from cnn_cli.cli.images import (
    MIN_CONFIDENCE,
    Checkpoints,
    FilesFrom,
    Images,
    MinConfidence,
    Strict,
    check_inputs,
    named_images,
    open_named_reader,
)
from cnn_cli.cli.options import Json
from cnn_cli.errors import CnnError, ExitCode


def read(
    images: Images = None,
    checkpoint: Checkpoints = None,
    min_confidence: MinConfidence = MIN_CONFIDENCE,
    strict: Strict = False,
    files_from: FilesFrom = None,
    as_json: Json = False,
    annotate: Annotated[
        Path | None,
        typer.Option(metavar="OUT.png", help="Draw a box and its label around each digit into this PNG."),
    ] = None,
) -> None:
    """Read all digits of each image: rows from top to bottom, in each from left to right."""
    from cnn_cli import console
    from cnn_cli.reading.text import read_texts
    from cnn_cli.report.annotate import write_annotated

    check_inputs("read", images or [], files_from)
    reader, files = open_named_reader(checkpoint or [])
    failed = unsure = False
    for result in read_texts(reader, named_images(images or [], files_from), min_confidence):
        if isinstance(result, CnnError):
            failed = True
            console.error(result)
            continue
        unsure = unsure or not all(digit.confident for digit in result.digits)
        console.line(result.text)
        if annotate is not None:
            write_annotated(result, annotate)
    if failed:
        raise typer.Exit(ExitCode.DATA)
    if strict and unsure:
        raise typer.Exit(ExitCode.UNSURE)
