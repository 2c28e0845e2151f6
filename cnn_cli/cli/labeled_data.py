"""The labeled images that `cnn eval`, `cnn compare` and `cnn report` measure checkpoints on."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.options import is_override

if TYPE_CHECKING:
    from cnn_cli.checkpoint.file import Checkpoint
    from cnn_cli.config.schema import Config
    from cnn_cli.data.source import Source
    from cnn_cli.training.device import Compute


class Split(StrEnum):
    """A part of the data."""

    TEST = "test"
    VALIDATION = "validation"
    TRAIN = "train"


SplitOption = Annotated[
    Split, typer.Option("--split", metavar="SPLIT", help="Which images: test, validation or train.")
]


def split_arguments(command: str, arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Return the paths among the arguments of a command, and its settings.

    Raises:
        ConfigError: a setting would need another training.
    """
    paths = [Path(argument) for argument in arguments if not is_override(argument)]
    overrides = [argument for argument in arguments if is_override(argument)]
    from cnn_cli.config.adjust import check_evaluation_settings

    check_evaluation_settings(overrides, command)
    return paths, overrides


def open_data(checkpoint: "Checkpoint", overrides: Sequence[str]) -> "tuple[Source, Compute]":
    """Open the data that a checkpoint was trained on, and choose its device, unless settings say otherwise.

    Raises:
        ConfigError: a setting is wrong.
        DataError: the data is not available.
    """
    from cnn_cli import console
    from cnn_cli.data.source import Access
    from cnn_cli.training import start

    with console.download_bar() as bar:
        return start.open_data(checkpoint, overrides, Access(bar))


def changed_config(checkpoint: "Checkpoint", overrides: Sequence[str]) -> "Config":
    """Return the config of a checkpoint with settings applied.

    Raises:
        ConfigError: a setting is wrong.
    """
    from cnn_cli.config.adjust import override

    return override(checkpoint.config, list(overrides), str(checkpoint.path))


def open_data_of(config: "Config") -> "Source":
    """Open the data of a config, with a bar where that takes time.

    Raises:
        DataError: it is not available.
    """
    from cnn_cli import console
    from cnn_cli.data.source import Access
    from cnn_cli.data.sources import open_source

    with console.download_bar() as bar:
        return open_source(config.data, Access(bar))


def announce(verb: str, files: Sequence[Path], split: Split, source: "Source", compute: "Compute") -> None:
    """Tell people which checkpoints are measured, on what."""
    from cnn_cli import console

    names = " + ".join(map(str, files))
    console.message(f"{verb} {names} on the {split} split of {source.name}; {compute.describe()}")
