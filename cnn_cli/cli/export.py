"""`cnn export`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.completion import checkpoint_names
from cnn_cli.cli.help import examples
from cnn_cli.cli.options import Json
from cnn_cli.cli.outputs import keep_inputs
from cnn_cli.config.choices import MIN_CONFIDENCE
from cnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from cnn_cli.checkpoint.file import Checkpoint
    from cnn_cli.export.exported import Exported
    from cnn_cli.export.samples import Samples

EXAMPLES = examples(
    "cnn export lenet --to lenet.onnx",
    "cnn export runs/tiny --to tiny.h --int8",
    "cnn predict image.png -k lenet.onnx",
)


def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A checkpoint file, a run's folder or the name of a network that ships.",
            autocompletion=checkpoint_names,
        ),
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE", help="With --int8: settings of the data, such as data.root=FOLDER."
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="The file to write: .onnx, or .h for C; the suffix decides the format.",
        ),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Compute in 8 bits: a quarter of the size. The ranges of the numbers are measured on "
            "training images; exit with code 4 if that loses more than 0.1 points of accuracy.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a network for other programs: ONNX for a server, C for a microcontroller.

    An ONNX file takes uint8 images and gives probabilities: normalization, temperature and softmax are inside
    it. `cnn predict -k` and `cnn eval -k` read it too. Both need: pip install "cnn-cli[export]". A C header
    needs no library and allocates no memory.
    """
    from cnn_cli.checkpoint.choose import choose_checkpoint
    from cnn_cli.checkpoint.file import read
    from cnn_cli.export.write import export as write

    if to is None:
        raise ConfigError("export needs --to FILE", hint=f"cnn export {checkpoint} --to model.onnx")
    _check_settings(settings or [], int8)
    file = choose_checkpoint(checkpoint, lines=False)
    keep_inputs({"--to": to}, [file])
    trained = read(file)
    load = (lambda: _load(trained, settings or [])) if int8 else None
    _show(write(trained, to, MIN_CONFIDENCE, load), as_json)


def _check_settings(settings: list[str], int8: bool) -> None:
    for argument in settings:
        if not argument.startswith("data."):
            raise ConfigError(f"argument {argument!r}: export accepts only settings that start with data.")
        if not int8:
            raise ConfigError(
                f"argument {argument!r}: only --int8 uses data", hint="leave it out, or add --int8"
            )


def _load(checkpoint: "Checkpoint", settings: list[str]) -> "Samples":
    from cnn_cli import console
    from cnn_cli.config.adjust import override_checkpoint
    from cnn_cli.data.source import Access
    from cnn_cli.export.samples import load_samples

    config = override_checkpoint(checkpoint.config, settings, str(checkpoint.path))
    with console.download_bar() as bar:
        samples = load_samples(config, checkpoint.classes, checkpoint.preprocessing, Access(bar))
    console.message(
        f"calibrating with {len(samples.calibration):,} training images of {samples.describe()}, "
        f"measuring on {len(samples.test):,} test images"
    )
    return samples


def _show(exported: "Exported", as_json: bool) -> None:
    from cnn_cli import console

    if as_json:
        console.json_line(asdict(exported) | {"path": str(exported.path)})
        return
    facts = [("file", f"{exported.path}  ({exported.format}; {exported.bytes:,} bytes)")]
    if exported.difference is not None:
        facts.append(("largest difference", f"{exported.difference:.1e} of a probability, from cnn predict"))
    if exported.accuracy is not None:
        accuracy = exported.accuracy
        before, after = (
            f"{right / accuracy.count:.2%}  ({right:,} of {accuracy.count:,})"
            for right in (accuracy.before, accuracy.after)
        )
        facts += [("accuracy in floats", before), ("accuracy in 8 bits", after), ("data", accuracy.data)]
    if exported.flash is not None:
        facts += [
            ("flash", f"{exported.flash:,} bytes of constants"),
            ("RAM", f"{exported.ram:,} bytes, static"),
        ]
    console.facts([*facts, ("multiply-adds for one image", f"{exported.multiply_adds:,}")])
