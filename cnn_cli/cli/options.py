"""What several commands share: options, and small helpers for arguments and results."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from cnn_cli.cli.completion import checkpoint_names, config_names

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout, one object per line.")]
A_CONFIG = "A YAML file, or the name of a config such as lenet."
"""The help of an argument or option that names a config."""

ConfigName = Annotated[str, typer.Argument(metavar="CONFIG", help=A_CONFIG, autocompletion=config_names)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE", help="Settings that replace those of the config, such as train.epochs=3 seed=7."
    ),
]


def config_option(text: str) -> Any:
    """Return the option --config with this help."""
    return typer.Option("--config", "-c", metavar="CONFIG", help=text, autocompletion=config_names)


def checkpoint_option(more: str = "") -> Any:
    """Return the option --checkpoint; its help begins with what a checkpoint may be, then says `more`."""
    return typer.Option(
        "--checkpoint",
        "-k",
        metavar="CHECKPOINT",
        help=f"A checkpoint file, a run's folder or the name of a network that ships.{more}",
        autocompletion=checkpoint_names,
    )


DEFAULT_CHECKPOINT = (
    "  [default: $CNN_CHECKPOINT, else the newest finished run in ./checkpoints, else the network that ships]"
)
Checkpoints = Annotated[
    list[Path] | None,
    checkpoint_option(f" If it is given several times, the probabilities are averaged.{DEFAULT_CHECKPOINT}"),
]


def is_override(argument: str) -> bool:
    """Return whether an argument is `key=value` rather than a path: its first part is a dotted key."""
    key, equals, _ = argument.partition("=")
    return bool(equals) and key.replace(".", "").replace("_", "").isalnum() and "." in key


def describe_data(name: str, is_fallback: bool) -> str:
    """Return the name of the data, and a remark if it replaces the requested data."""
    return f"{name} (used because the requested data is not available)" if is_fallback else name


def quoted(path: Path | str) -> str:
    """Return a path as a shell reads it back, for commands that a message suggests."""
    return shlex.quote(str(path))
