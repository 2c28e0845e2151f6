"""What several commands share: options, and the place of a network's error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.errors import ConfigError, NetworkError

if TYPE_CHECKING:
    from torch import nn

    from cnn_cli.config.load import LoadedConfig

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout, one object a line.")]
ConfigName = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A YAML file, or the name of a shipped config such as lenet.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Settings over the config's, such as train.epochs=3 seed=7."),
]


@contextmanager
def placed(loaded: "LoadedConfig") -> Iterator[None]:
    """Give the error of a network its file, line and column."""
    try:
        yield
    except NetworkError as error:
        raise ConfigError(loaded.problem(error.path, error.problem)) from None


def build_network_of(loaded: "LoadedConfig", *, of_data: bool) -> "nn.Sequential":
    """Build the config's network, so that what does not fit is known before anything slow starts.

    Args:
        loaded: the config with the places of its settings.
        of_data: whether `model.classes` must agree with the data, or may stand alone.

    Raises:
        ConfigError: a layer does not fit; with file, line and column.
    """
    from cnn_cli.data.sources import classes_of
    from cnn_cli.model.network import network_for

    stated = None if of_data else loaded.config.model.classes
    with placed(loaded):
        return network_for(loaded.config, stated or len(classes_of(loaded.config.data)))


def is_override(argument: str) -> bool:
    """Whether an argument is `key=value` rather than a path: its first part is a dotted key."""
    key, equals, _ = argument.partition("=")
    return bool(equals) and key.replace(".", "").replace("_", "").isalnum() and "." in key
