"""`cnn data get | check | show`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.options import Json
from cnn_cli.errors import DataError

if TYPE_CHECKING:
    from cnn_cli.config.schema import Data

app = typer.Typer(help="Fetch, verify and look at the data.")

Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="data.KEY=VALUE", help="Settings of data, such as data.root=FOLDER."),
]


@app.command()
def get(settings: Settings = None) -> None:
    """Make sure that MNIST is at hand: find it, or download and verify it."""
    from cnn_cli import console
    from cnn_cli.data import mnist
    from cnn_cli.engine import build

    data = _data(settings)
    with console.download_bar() as bar:
        paths = mnist.get(build.data_root(data), data.mirrors, bar)
    for path in paths:
        console.line(str(path))


@app.command()
def check(settings: Settings = None, as_json: Json = False) -> None:
    """Verify MNIST's four files by their SHA-256; nothing is downloaded or written."""
    from cnn_cli import console
    from cnn_cli.data import mnist
    from cnn_cli.engine import build

    root = build.data_root(_data(settings))
    results = mnist.check(root)
    for result in results:
        path = str(result.path) if result.path else None
        if as_json:
            fields = {"file": result.file, "state": result.state, "path": path, "detail": result.detail}
            console.json_line(fields)
        else:
            console.line(f"{result.state:<8}  {result.file}  {result.detail}")
    if any(result.state != "ok" for result in results):
        raise DataError(f"{root}: MNIST is not whole there", hint="cnn data get")


@app.command()
def show(
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("digits.png"),
    settings: Settings = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many pictures.")] = 100,
    test: Annotated[
        bool, typer.Option("--test", help="Show test pictures instead of training pictures.")
    ] = False,
) -> None:
    """Draw a contact sheet of the first pictures with their labels."""
    from cnn_cli import console
    from cnn_cli.engine import build
    from cnn_cli.tools.sheet import write_sheet

    with console.download_bar() as bar:
        source = build.source(_data(settings), bar)
    pictures = source.test() if test else source.train()
    write_sheet(pictures, source.classes, count, out)
    console.line(str(out))
    console.message(f"{min(count, len(pictures))} of {len(pictures):,} pictures of {source.name}")


def _data(settings: list[str] | None) -> "Data":
    from cnn_cli.config.adjust import data_settings

    return data_settings(settings or [])
