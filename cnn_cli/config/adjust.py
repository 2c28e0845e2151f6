"""Settings that change a config without a file: one from a checkpoint, or the defaults."""

from collections.abc import Sequence

from cnn_cli.config import document, overrides
from cnn_cli.config.dump import dump
from cnn_cli.config.load import validate
from cnn_cli.config.schema import Config, Data, Section


class _DataOnly(Section):
    data: Data = Data()


def override(config: Config, arguments: Sequence[str], source: str) -> Config:
    """Return the config with `key=value` arguments applied; `source` names its origin in messages."""
    return validate(overrides.apply(document.parse(dump(config), source), list(arguments)), Config)


def data_settings(arguments: Sequence[str]) -> Data:
    """Return the defaults of the section `data` with `data.key=value` arguments applied."""
    defaults = document.parse("data: {}", "the defaults")
    return validate(overrides.apply(defaults, list(arguments)), _DataOnly).data
