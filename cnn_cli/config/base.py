"""The config that another one is best compared with: its base, or the config of its name, or the defaults."""

from contextlib import suppress
from dataclasses import dataclass

from cnn_cli.config import document
from cnn_cli.config.catalog import find, names
from cnn_cli.config.load import ParentOf, load_config, no_parent
from cnn_cli.config.schema import Config
from cnn_cli.errors import ConfigError


@dataclass(frozen=True)
class Base:
    """A config to compare another one with."""

    name: str
    """Such as `lenet`, or `the default settings`."""
    config: Config


def base_of(config: Config, parent_of: ParentOf = no_parent) -> Base:
    """Return the config that the named one of a run builds on, as it is now.

    The config of a run has its settings resolved and does not say where they come from, but it has the name
    of its file. If that file has no `base:`, the settings of the command line differ from the file itself.
    If there is no such file any more, the base has this network and default settings.
    """
    entry = next((entry for entry in names() if entry.name.rpartition("/")[2] == config.name), None)
    if entry is not None:
        with suppress(ConfigError):
            base = document.read(entry.path).child("base")
            named = str(find(str(base.value), beside=entry.path.parent)) if base else str(entry.path)
            return Base(
                str(base.value) if base else entry.name, load_config(named, parent_of=parent_of).config
            )
    return Base("the default settings", Config(model=config.model))
