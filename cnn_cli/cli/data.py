"""`cnn data get | check | show`."""

from dataclasses import asdict
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
    """Make sure that the data is at hand: find it, or download and verify it; say where it lies."""
    from cnn_cli import console
    from cnn_cli.engine import build

    data = _data(settings).model_copy(update={"fallback": "none"})
    with console.download_bar() as bar:
        source = build.source(data, bar)
    for path in source.paths or (build.data_root(data),):
        console.line(str(path))
    counts = [f"{len(make()):,} {part}" for part, make in source.splits.items()]
    console.message(f"{source.name}: {', '.join(counts)} pictures; {len(source.classes)} classes")


@app.command()
def check(settings: Settings = None, as_json: Json = False) -> None:
    """Verify the data where it lies, as far as that can be done; nothing is downloaded.

    MNIST is compared with the SHA-256 of its four files, other published sets with what torchvision knows of
    them; pictures of one's own are read.
    """
    from cnn_cli import console
    from cnn_cli.engine import build

    data = _data(settings)
    results = build.check(data)
    for result in results:
        if as_json:
            console.json_line({**asdict(result), "path": str(result.path) if result.path else None})
        else:
            console.line(f"{result.state:<8}  {result.part}  {result.detail}")
    if any(result.state != "ok" for result in results):
        hint = f"cnn data get data.name={data.name}"
        raise DataError(f"{build.data_root(data)}: {data.name} is not whole there", hint=hint)


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
