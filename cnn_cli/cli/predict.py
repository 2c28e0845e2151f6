"""`cnn predict`."""

from pathlib import Path
from typing import Annotated

import typer

from cnn_cli.cli.help import examples
from cnn_cli.cli.images import (
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
    show_results,
)
from cnn_cli.cli.options import Checkpoints, Json
from cnn_cli.cli.outputs import check_drawings, keep_checkpoints, keep_images
from cnn_cli.cli.submission import Submission, SubmissionFile
from cnn_cli.config.choices import MIN_CONFIDENCE
from cnn_cli.errors import ExitCode

EXAMPLES = examples(
    "cnn predict image.png",
    "cnn predict scans/ --csv --contact-sheet scans.png",
    "cnn predict photo.jpg --explain --show-input input.png",
    "cnn predict photos/ --only-unsure --sort-into sorted",
    "cnn predict test.csv --submission submission.csv",
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
    submission: SubmissionFile = None,
    contact_sheet: ContactSheet = None,
    show_input: ShowInput = None,
    explain: Explain = False,
    only_unsure: Annotated[
        bool, typer.Option("--only-unsure", help="List only the unsure answers, the least confident first.")
    ] = False,
    sort_into: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Copy each image into the folder of its label in FOLDER, or into FOLDER/unsure. Move files "
            "to correct answers: FOLDER is then training data.",
        ),
    ] = None,
) -> None:
    """Read the digit in each image.

    An image that cannot be read gets an error message; the others are read, and the exit code is 3. Many
    images are decoded on all cores; the answers come in the order of the images. In a table (.csv, .csv.gz),
    each row is an image.
    """
    from cnn_cli.cli.answers import OnlyUnsure, check_formats, note_turned, shower
    from cnn_cli.cli.sheets import ContactSheets
    from cnn_cli.cli.sorting import Sorting

    check_inputs("predict", images or [], files_from)
    check_formats(as_json, as_csv)
    outputs = {"--contact-sheet": contact_sheet, "--show-input": show_input}
    inputs = [*(images or []), *filter(None, [files_from])]
    check_drawings(outputs, inputs)
    sheets = ContactSheets(contact_sheet, show_input)
    sorting = Sorting(sort_into, images or [])
    answers = Submission(submission, inputs)
    from cnn_cli.reading.predict import predict as predict_images

    reader, files = open_named_reader(checkpoint or [])
    keep_checkpoints(outputs | {"--submission": submission}, reader.checkpoints)
    show = shower(as_json, as_csv, explain, {"checkpoint": files, "trained_on": reader.trained_on})
    named = keep_images(named_images(images or [], files_from), outputs)
    results = predict_images(reader, named, min_confidence, explain or sheets.needs_explanation)
    sorting.open(reader)
    listing = OnlyUnsure([note_turned, show, sheets.add_prediction], only_unsure)
    code = show_results(results, [listing.add, sorting.add, answers.add], strict)
    listing.close()
    sheets.write(reader)
    sorting.report()
    answers.write(is_complete=code != ExitCode.DATA)
    if code:
        raise typer.Exit(code)
