"""Settings that change a config without a file: one from a checkpoint, or the defaults."""

import shlex
from collections.abc import Sequence

from cnn_cli.config import document, overrides
from cnn_cli.config.dump import dump
from cnn_cli.config.load import validate
from cnn_cli.config.schema import Config, Data, Output
from cnn_cli.config.section import Section
from cnn_cli.errors import ConfigError, DataError

EVALUATION_SETTINGS = ("data.", "train.device=", "train.precision=", "train.threads=")
"""How the settings begin that may be changed to measure a network that is trained already."""

_PLACES = ("data.root=", "data.name=")
"""How the settings begin that say which images to measure on."""


class _DataOnly(Section):
    data: Data = Data()


def override(config: Config, arguments: Sequence[str], source: str) -> Config:
    """Return the config with `key=value` arguments applied; `source` names its origin in messages.

    Raises:
        ConfigError: a setting is wrong.
    """
    return validate(overrides.apply(document.parse(dump(config), source), list(arguments)), Config)


def override_checkpoint(config: Config, arguments: Sequence[str], source: str) -> Config:
    """Return the config of a checkpoint with `key=value` arguments applied, and without its own places.

    A checkpoint may be untrusted. So the paths and addresses in its config never count, only those on the
    user's command line.

    Args:
        config: that of the checkpoint.
        arguments: the settings.
        source: the checkpoint's file, for messages.

    Raises:
        ConfigError: a setting is wrong.
        DataError: the images are in a folder that no setting names.
    """
    if config.data.name == "own" and not any(each.startswith(_PLACES) for each in arguments):
        raise DataError(
            f"{source}: was trained on the images in {config.data.root}; a path in a checkpoint is not used",
            hint=f"name the folder of the images: {shlex.quote(f'data.root={config.data.root}')}",
        )
    data = config.data.model_copy(update={"root": None, "mirrors": Data().mirrors})
    return override(config.model_copy(update={"data": data, "output": Output()}), arguments, source)


def check_evaluation_settings(arguments: Sequence[str], who: str) -> None:
    """Check that `key=value` arguments need no other training.

    Args:
        arguments: the settings.
        who: what to call the command or function in the message.

    Raises:
        ConfigError: one does.
    """
    for argument in arguments:
        if not argument.startswith(EVALUATION_SETTINGS):
            raise ConfigError(
                f"argument {argument!r}: {who} accepts only settings of the data and the device",
                hint=f"they start with {', '.join(EVALUATION_SETTINGS)}",
            )


def data_settings(arguments: Sequence[str]) -> Data:
    """Return the defaults of the section `data` with `data.key=value` arguments applied."""
    defaults = document.parse("data: {}", "the defaults")
    return validate(overrides.apply(defaults, list(arguments)), _DataOnly).data
