"""`cnn data get`, `check` and `show`; `cache` is in `cache.py`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli import cache
from cnn_cli.cli.completion import checkpoint_names, data_set_names
from cnn_cli.cli.help import Command, examples
from cnn_cli.cli.options import Json, config_option
from cnn_cli.cli.outputs import PNG, check_drawings, check_output, keep_checkpoints, keep_inputs
from cnn_cli.errors import ConfigError, DataError
from cnn_cli.text import printable

if TYPE_CHECKING:
    from cnn_cli.checkpoint.file import Checkpoint
    from cnn_cli.config.schema import Data
    from cnn_cli.data.source import LabeledImages, Source

app = typer.Typer(
    help="Fetch, verify and look at the data.", epilog=examples("cnn data get kmnist", "cnn data show usps")
)

app.add_typer(cache.app, name="cache")

Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME|data.KEY=VALUE",
        help="The name of a data set, such as kmnist, and settings, such as data.root=FOLDER.",
        autocompletion=data_set_names,
    ),
]


@app.command(cls=Command, epilog=examples("cnn data get", "cnn data get kmnist"))
def get(settings: Settings = None, as_json: Json = False) -> None:
    """Find the data, or download and verify it; print where it is."""
    from cnn_cli import console
    from cnn_cli.data.source import Access, data_root
    from cnn_cli.data.sources import open_source, stored

    data = stored(_data(settings)).model_copy(update={"fallback": "none"})
    with console.download_bar() as bar:
        source = open_source(data, Access(bar))
    paths = [str(path) for path in source.paths or (data_root(data),)]
    counts = {split: len(load()) for split, load in source.splits.items()}
    if as_json:
        figures = {"images": counts, "classes": source.classes}
        console.json_line({"name": source.name, "paths": paths, **figures})
    else:
        console.line("\n".join(paths))
    images = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    console.message(f"{source.name}: {images} images; {len(source.classes)} classes")


@app.command(
    cls=Command,
    epilog=examples(
        "cnn data check usps --json",
        "cnn data check data.root=images --labels --out suspects.png",
    ),
)
def check(
    settings: Settings = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="List the images whose labels look wrong (confident learning).")
    ] = False,
    networks: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            metavar="CHECKPOINT",
            help="With --labels: ask this network, which was trained on other images, instead of training "
            "small ones (cross-validation). A checkpoint file, a run's folder or the name of a network that "
            "ships; several are averaged.",
            autocompletion=checkpoint_names,
        ),
    ] = None,
    config: Annotated[
        str | None,
        config_option(
            "Take the data settings from this config; with --labels, the network that is cross-validated too."
            "  [default: lenet with as many epochs as the images need]"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="OUT.png", help="With --labels: draw these images into this PNG."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify the data where it is, as far as possible; nothing is downloaded.

    MNIST is compared with the SHA-256 of its four files, other published sets with their published checksums.
    Your own images are decoded, and equal images are listed: accuracy is overstated if some are in several
    splits. With --labels, each image is classified by a network that was not trained on it, and the labels
    that it contradicts most are listed.
    """
    from cnn_cli import console
    from cnn_cli.cli import data_check
    from cnn_cli.data.source import data_root
    from cnn_cli.data.sources import PUBLISHED, check_opened, check_source, open_source, stored, with_name

    if not labels and (networks or out):
        raise ConfigError("--with and --out belong to --labels", hint="cnn data check --labels --out OUT.png")
    outputs = {"--out": out}
    check_drawings(outputs, [])
    data = stored(with_name(_data(settings) if config is None else _data_of(config, settings)))
    checkpoints = _read_networks(networks or [])
    keep_checkpoints(outputs, checkpoints)
    data = data_check.as_read_by(data, checkpoints[0]) if checkpoints else data
    source = None if data.name in PUBLISHED else open_source(data)
    results = check_opened(source, data) if source else check_source(data)
    for result in results:
        if as_json:
            console.json_line({**asdict(result), "path": str(result.path) if result.path else None})
        else:
            console.line(f"{result.state:<8}  {printable(result.part)}  {printable(result.detail)}")
    if any(result.state != "ok" for result in results):
        raise DataError(f"{data_root(data)}: {data.name} is not complete", hint=f"cnn data get {data.name}")
    if source is not None:
        data_check.show_duplicates(source, as_json)
        data_check.show_counts(source)
    if labels:
        offline = data.model_copy(update={"download": False, "fallback": "none"})
        source = source or open_source(offline)
        keep_inputs(outputs, source.paths)
        data_check.show_labels(source, data, checkpoints, config, out, as_json)


def _read_networks(named: Sequence[Path]) -> "list[Checkpoint]":
    from cnn_cli.checkpoint.choose import choose_checkpoints
    from cnn_cli.checkpoint.file import read

    return [read(file) for file in choose_checkpoints(named)] if named else []


@app.command(
    cls=Command, epilog=examples("cnn data show usps --out usps.png", "cnn data show --augment -c lenet.yaml")
)
def show(
    settings: Settings = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT.png", help="The PNG to write.")] = Path(
        "digits.png"
    ),
    count: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Number of images.")] = 100,
    test: Annotated[
        bool, typer.Option("--test", help="Show test images instead of training images.")
    ] = False,
    config: Annotated[str | None, config_option("Take the data settings from this config.")] = None,
    augment: Annotated[
        bool, typer.Option("--augment", help="Show a row of augmented copies of each image (data.augment).")
    ] = False,
) -> None:
    """Draw a contact sheet of the first images with their labels."""
    from cnn_cli import console
    from cnn_cli.data.source import Access
    from cnn_cli.data.sources import open_source

    data = _data(settings) if config is None else _data_of(config, settings)
    if augment:
        _check_augmentation(data)
    if data.name == "lines":  # composing all takes minutes, and the first lines are always the same
        data = data.model_copy(update={"lines": data.lines.of_each(max(count, 10))})
    check_output("--out", out, PNG)
    with console.download_bar() as bar:
        source = open_source(data, Access(bar))
    keep_inputs({"--out": out}, source.paths)
    images = source.test() if test else source.train()
    if augment:
        _write_augmented(images, source, data, count, out)
    else:
        _write_images(images, source, count, out)


def _write_images(images: "LabeledImages", source: "Source", count: int, out: Path) -> None:
    from cnn_cli import console
    from cnn_cli.report.data_sheets import write_data_sheet

    write_data_sheet(images, source.classes, count, out)
    console.line(str(out))
    console.message(f"{min(count, len(images))} of {len(images):,} images of {source.name}")


def _write_augmented(images: "LabeledImages", source: "Source", data: "Data", count: int, out: Path) -> None:
    from cnn_cli import console
    from cnn_cli.checkpoint.preprocessing import Preprocessing
    from cnn_cli.report.data_sheets import write_augmented

    zeros, ones = (0.0,) * data.channels, (1.0,) * data.channels
    preprocessing = Preprocessing(data.size, zeros, ones, source.preprocessing, data.width)
    write_augmented(images, source.classes, count, out, preprocessing, data.augment)
    console.line(str(out))
    console.message(f"images of {source.name} in frames, and beside each its augmented copies")


def _check_augmentation(data: "Data") -> None:
    if data.augment == type(data.augment)():
        raise ConfigError(
            "--augment has nothing to show: data.augment changes nothing",
            hint="cnn data show --augment --config lenet.yaml, or data.augment.rotate=15",
        )


def _data_of(config: str, settings: list[str] | None) -> "Data":
    from cnn_cli.checkpoint.start import parent_of
    from cnn_cli.config.load import load_config

    return load_config(config, _with_name(settings or []), parent_of).config.data


def _data(settings: list[str] | None) -> "Data":
    from cnn_cli.config.adjust import data_settings

    return data_settings(_with_name(settings or []))


def _with_name(settings: Sequence[str]) -> list[str]:
    """Return the settings with a bare name, such as `kmnist`, as `data.name=kmnist`."""
    names = [setting for setting in settings if "=" not in setting]
    if len(names) > 1:
        raise ConfigError(
            f"one data set at a time, not {' and '.join(names)}", hint=f"cnn data get {names[0]}"
        )
    return [setting if "=" in setting else f"data.name={setting}" for setting in settings]
