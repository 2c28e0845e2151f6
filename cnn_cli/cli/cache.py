"""`cnn data cache list` and `clear`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cnn_cli.cli.help import Command, examples
from cnn_cli.cli.options import Json

app = typer.Typer(
    help="Show or remove decoded images.", epilog=examples("cnn data cache list", "cnn data cache clear")
)


@app.command("list", cls=Command, epilog=examples("cnn data cache list --json"))
def list_(as_json: Json = False) -> None:
    """List the decoded images of your own data, which lie in the user's cache folder (or $CNN_CACHE)."""
    from cnn_cli import console
    from cnn_cli.data.own.cache import cache_folder
    from cnn_cli.data.own.stored import stored_images

    stored = stored_images()
    for each in stored:
        if as_json:
            console.json_line({**asdict(each), "path": str(each.path)})
        else:
            size = f"{each.size / 1e6:,.1f} MB"
            console.line(f"{size:>12}  {each.images:>9,} images  {each.input_format}  {each.root}")
    total = sum(each.size for each in stored)
    console.message(f"{cache_folder()}: {total / 1e6:,.1f} MB of decoded images")


@app.command(cls=Command, epilog=examples("cnn data cache clear", "cnn data cache clear my-digits"))
def clear(
    root: Annotated[
        Path | None,
        typer.Argument(metavar="ROOT", help="The data whose images are removed.  [default: all data]"),
    ] = None,
) -> None:
    """Remove decoded images; they are decoded again when they are needed."""
    from cnn_cli import console
    from cnn_cli.data.own.cache import cache_folder
    from cnn_cli.data.own.stored import clear as clear_cache

    console.message(f"{cache_folder()}: {clear_cache(root) / 1e6:,.1f} MB removed")
