"""`cnn predict`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.help import examples
from cnn_cli.cli.images import (
    MIN_CONFIDENCE,
    ContactSheet,
    Explain,
    FilesFrom,
    Images,
    MinConfidence,
    ShowInput,
    Strict,
    check_inputs,
    named_images,
    open_named_reader,
)
from cnn_cli.cli.options import Checkpoints, Json
from cnn_cli.errors import CnnError, ExitCode

if TYPE_CHECKING:
    from cnn_cli.cli.answers import Show
    from cnn_cli.cli.sheets import ContactSheets
    from cnn_cli.reading.predict import Prediction

EXAMPLES = examples(
    "cnn predict image.png",
    "cnn predict scans/ --csv --contact-sheet scans.png",
    "cnn predict photo.jpg --explain --show-input input.png",
)


def predict(
    images: Images = None,
    checkpoint: Checkpoints = None,
    min_confidence: MinConfidence = MIN_CONFIDENCE,
    strict: Strict = False,
    files_from: FilesFrom = None,
    as_json: Json = False,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help="Write CSV to stdout: a header, then path, label, confidence, confident."),
    ] = False,
    contact_sheet: ContactSheet = None,
    show_input: ShowInput = None,
    explain: Explain = False,
) -> None:
    """Read the digit in each image.

    An image that cannot be read gets an error message; the others are read, and the exit code is 3. Many
    images are decoded on all cores; the answers come in the order of the images.
    """
    from cnn_cli.cli.answers import check_formats, shower
    from cnn_cli.cli.sheets import ContactSheets

    check_inputs("predict", images or [], files_from)
    check_formats(as_json, as_csv)
    sheets = ContactSheets(contact_sheet, show_input)
    from cnn_cli.reading.predict import predict as predict_images

    reader, files = open_named_reader(checkpoint or [])
    show = shower(as_json, as_csv, explain, {"checkpoint": files, "trained_on": reader.trained_on})
    named = named_images(images or [], files_from)
    results = predict_images(reader, named, min_confidence, explain or sheets.needs_explanation)
    failed, unsure = _show_answers(results, show, sheets)
    sheets.write(reader)
    if failed:
        raise typer.Exit(ExitCode.DATA)
    if strict and unsure:
        raise typer.Exit(ExitCode.UNSURE)


def _show_answers(
    results: "Iterable[Prediction | CnnError]", show: "Show", sheets: "ContactSheets"
) -> tuple[bool, bool]:
    """Show each answer as it comes. Return whether any image could not be read, and any answer is unsure."""
    from cnn_cli import console

    failed = unsure = False
    for result in results:
        if isinstance(result, CnnError):
            failed = True
            console.error(result)
        else:
            unsure = unsure or not result.confident
            show(result)
            sheets.add_prediction(result)
    return failed, unsure
