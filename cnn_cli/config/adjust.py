"""Settings that change a config without a file: one from a checkpoint, or the defaults."""

from collections.abc import Sequence

from cnn_cli.config import document, overrides
from cnn_cli.config.dump import dump
from cnn_cli.config.load import validate
from cnn_cli.config.schema import Config, Data
from cnn_cli.config.section import Section
from cnn_cli.errors import ConfigError

EVALUATION_SETTINGS = ("data.", "train.device=", "train.precision=", "train.threads=")
"""How the settings begin that may be changed to measure a network that is trained already."""


class _DataOnly(Section):
    data: Data = Data()


def override(config: Config, arguments: Sequence[str], source: str) -> Config:
    """Return the config with `key=value` arguments applied; `source` names its origin in messages."""
    return validate(overrides.apply(document.parse(dump(config), source), list(arguments)), Config)


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
