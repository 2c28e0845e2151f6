"""`cnn read`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    open_named_line_reader,
    show_results,
    single_image,
)
from cnn_cli.cli.options import Checkpoints, Json
from cnn_cli.cli.outputs import check_drawings, keep_checkpoints, keep_images
from cnn_cli.config.choices import MIN_CONFIDENCE
from cnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from cnn_cli.cli.texts import Show

EXAMPLES = examples(
    "cnn read photo.jpg --annotate read.png",
    "cnn read receipts/ --json",
    "find scans -name '*.png' -print0 | cnn read --files-from - --csv",
)


def read(
    images: Images = None,
    checkpoint: Checkpoints = None,
    min_confidence: MinConfidence = MIN_CONFIDENCE,
    strict: Strict = False,
    signs: Annotated[
        bool,
        typer.Option("--signs", help="Also read the signs + - = / . ,"),
    ] = False,
    files_from: FilesFrom = None,
    as_json: Json = False,
    as_csv: Annotated[
        bool,
        typer.Option(
            "--csv",
            help="Write CSV to stdout, one row per image: a header, then path, text (its rows separated by "
            "newlines), confident, lowest_confidence.",
        ),
    ] = False,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT.png", help="Draw a box and a label around each digit of the one image into this PNG."
        ),
    ] = None,
    contact_sheet: ContactSheet = None,
    show_input: ShowInput = None,
    explain: Explain = False,
) -> None:
    """Read all digits in each image, row by row.

    Rows are read from top to bottom, each from left to right. A digit below --min-confidence is shown as ?.
    Spaces and letters are left out, and so are signs unless --signs is given. Unless a single image file is
    named, each line begins with the image's name.

    An image that cannot be read gets an error message; the others are read, and the exit code is 3.
    """
    from cnn_cli.cli.answers import check_formats
    from cnn_cli.cli.sheets import ContactSheets

    paths = images or []
    check_inputs("read", paths, files_from)
    single, named = single_image(paths, files_from)
    _check_annotate(annotate, single)
    check_formats(as_json, as_csv)
    outputs = {"--annotate": annotate, "--contact-sheet": contact_sheet, "--show-input": show_input}
    check_drawings(outputs, [*paths, *filter(None, [files_from])])
    sheets = ContactSheets(contact_sheet, show_input)
    from cnn_cli.cli.texts import text_shower
    from cnn_cli.reading.text import read_texts

    reader, files = open_named_line_reader(checkpoint or [])
    keep_checkpoints(outputs, reader.checkpoints)
    origin = {"checkpoint": files, "trained_on": reader.trained_on}
    show = text_shower(as_json, as_csv, explain, not single, origin)
    results = read_texts(reader, keep_images(named, outputs), min_confidence, signs=signs)
    code = show_results(results, [show, sheets.add_text, *_annotator(annotate)], strict)
    sheets.write(reader)
    if code:
        raise typer.Exit(code)


def _check_annotate(annotate: Path | None, single: bool) -> None:
    if annotate is not None and not single:
        raise ConfigError(
            "--annotate draws one image, and the command line names several (or a folder, pattern or list)",
            hint="name one image file, or a page: file.tif#2",
        )


def _annotator(annotate: Path | None) -> "Sequence[Show]":
    if annotate is None:
        return []
    from cnn_cli.report.annotate import write_annotated

    return [lambda text: write_annotated(text, annotate)]
