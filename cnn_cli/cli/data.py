"""`cnn data get | check | show`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.options import Json
from cnn_cli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from cnn_cli.config.schema import Data
    from cnn_cli.data.source import LabeledImages, Source

app = typer.Typer(help="Fetch, verify and look at the data.")

Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="data.KEY=VALUE", help="Settings of data, such as data.root=FOLDER."),
]


@app.command()
def get(settings: Settings = None) -> None:
    """Make sure that the data is at hand: find it, or download and verify it; say where it lies."""
    from cnn_cli import console
    from cnn_cli.data.source import Access, data_root
    from cnn_cli.data.sources import open_source

    data = _data(settings).model_copy(update={"fallback": "none"})
    with console.download_bar() as bar:
        source = open_source(data, Access(bar))
    for path in source.paths or (data_root(data),):
        console.line(str(path))
    counts = [f"{len(make()):,} {part}" for part, make in source.splits.items()]
    console.message(f"{source.name}: {', '.join(counts)} images; {len(source.classes)} classes")


@app.command()
def check(settings: Settings = None, as_json: Json = False) -> None:
    """Verify the data where it lies, as far as that can be done; nothing is downloaded.

    MNIST is compared with the SHA-256 of its four files, other published sets with what torchvision knows of
    them; images of one's own are read.
    """
    from cnn_cli import console
    from cnn_cli.data.source import data_root
    from cnn_cli.data.sources import check_source

    data = _data(settings)
    results = check_source(data)
    for result in results:
        if as_json:
            console.json_line({**asdict(result), "path": str(result.path) if result.path else None})
        else:
            console.line(f"{result.state:<8}  {result.part}  {result.detail}")
    if any(result.state != "ok" for result in results):
        hint = f"cnn data get data.name={data.name}"
        raise DataError(f"{data_root(data)}: {data.name} is not whole there", hint=hint)


@app.command()
def show(
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("digits.png"),
    settings: Settings = None,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many images.")] = 100,
    test: Annotated[
        bool, typer.Option("--test", help="Show test images instead of training images.")
    ] = False,
    config: Annotated[
        str | None, typer.Option("--config", "-c", help="Take the settings of data from this config.")
    ] = None,
    augment: Annotated[
        bool, typer.Option("--augment", help="Show in a row what data.augment makes of each image.")
    ] = False,
) -> None:
    """Draw a contact sheet of the first images with their labels."""
    from cnn_cli import console
    from cnn_cli.data.source import Access
    from cnn_cli.data.sources import open_source

    data = _data(settings) if config is None else _data_of(config, settings)
    if augment:
        _refuse_no_change(data)
    with console.download_bar() as bar:
        source = open_source(data, Access(bar))
    images = source.test() if test else source.train()
    if augment:
        _write_changes(images, source, data, count, out)
    else:
        _write_images(images, source, count, out)


def _write_images(images: "LabeledImages", source: "Source", count: int, out: Path) -> None:
    from cnn_cli import console
    from cnn_cli.report.data_sheets import write_data_sheet

    write_data_sheet(images, source.classes, count, out)
    console.line(str(out))
    console.message(f"{min(count, len(images))} of {len(images):,} images of {source.name}")


def _write_changes(images: "LabeledImages", source: "Source", data: "Data", count: int, out: Path) -> None:
    from cnn_cli import console
    from cnn_cli.checkpoint.preprocessing import Preprocessing
    from cnn_cli.report.data_sheets import write_augmented

    seen = Preprocessing(data.size, (0.0,) * data.channels, (1.0,) * data.channels, source.preprocessing)
    write_augmented(images, source.classes, count, out, seen, data.augment)
    console.line(str(out))
    console.message(f"images of {source.name} in frames, and beside each what training might see of it")


def _refuse_no_change(data: "Data") -> None:
    if data.augment == type(data.augment)():
        raise ConfigError(
            "--augment: there is nothing to show, since data.augment changes nothing",
            hint="cnn data show --augment --config lenet.yaml, or data.augment.rotate=15",
        )


def _data_of(config: str, settings: list[str] | None) -> "Data":
    from cnn_cli.config.load import load_config

    return load_config(config, settings or []).config.data


def _data(settings: list[str] | None) -> "Data":
    from cnn_cli.config.adjust import data_settings

    return data_settings(settings or [])
