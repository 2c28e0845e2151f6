"""`cnn look`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.help import examples
from cnn_cli.cli.images import Images, MinConfidence
from cnn_cli.cli.options import DEFAULT_CHECKPOINT, checkpoint_option
from cnn_cli.cli.outputs import HTML, check_output, keep_checkpoints
from cnn_cli.config.choices import MIN_CONFIDENCE
from cnn_cli.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from cnn_cli.reading.reader import Reader
    from cnn_cli.report.look.page import PageImage

EXAMPLES = examples("cnn look --open", "cnn look image.png -k lenet -o lenet.html")

MOST_IMAGES = 100
"""Images that a page offers; each is a button below the canvas, and 10 kB of the file."""


def look(
    images: Images = None,
    checkpoint: Annotated[Path | None, checkpoint_option(DEFAULT_CHECKPOINT)] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT.html", help="The page's file.")] = Path(
        "look.html"
    ),
    min_confidence: MinConfidence = MIN_CONFIDENCE,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Write a page that shows the network at work on digits that you draw.

    It is one HTML file that needs no server and no network: draw a digit, watch each layer, see how any
    number is computed and which parts of the image decide. The images are offered below the canvas. One that
    cannot be read gets an error message; the page is written without it, and the exit code is 3.
    """
    from cnn_cli import console
    from cnn_cli.cli.images import open_named_reader
    from cnn_cli.report.look.page import page_of, write_page

    check_output("--out", out, HTML, images or [])
    reader, _ = open_named_reader([checkpoint] if checkpoint else [])
    keep_checkpoints({"--out": out}, reader.checkpoints)
    readable, code = _readable(reader, images or [])
    write_page(out, page_of(reader.checkpoints[0], readable, min_confidence))
    console.line(str(out))
    if open_page:
        _open(out)
    if code:
        raise typer.Exit(code)


def _readable(reader: "Reader", paths: Sequence[Path]) -> "tuple[list[PageImage], ExitCode]":
    """Return the images that can be read, and the command's exit code; show the errors of the others."""
    from cnn_cli import console
    from cnn_cli.cli.images import named_images
    from cnn_cli.errors import CnnError
    from cnn_cli.report.look.images import page_images

    readable: list[PageImage] = []
    code = ExitCode.OK
    for result in page_images(reader, named_images(paths, None)):
        if isinstance(result, CnnError):
            console.error(result)
            code = ExitCode.DATA
        elif len(readable) == MOST_IMAGES:
            raise ConfigError(
                f"a page offers at most {MOST_IMAGES} images",
                hint="name fewer images",
            )
        else:
            readable.append(result)
    return readable, code


def _open(page: Path) -> None:
    import webbrowser

    from cnn_cli import console

    if not webbrowser.open(page.resolve().as_uri()):
        console.warning(f"no browser was found: open {page} yourself")
