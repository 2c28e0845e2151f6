"""Settings as Python values -> `key=value` arguments, so that both ways mean the same."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cnn_cli.config import document
from cnn_cli.config.load import LoadedConfig, ParentOf, complete, load_config, no_parent
from cnn_cli.config.schema import Config
from cnn_cli.errors import ConfigError

Settings = Mapping[str, Any]
"""Settings by name; a mapping in it is a section: `{"data": {"root": "mnist"}, "seed": 7}`."""

SOURCE = "the config"
"""What messages call a config that is a mapping."""


def load(
    config: str | os.PathLike[str] | Settings, settings: Settings, parent_of: ParentOf = no_parent
) -> LoadedConfig:
    """Load a config and replace settings of it.

    Args:
        config: a name such as `lenet`, a YAML file, or all settings as a mapping.
        settings: keywords, as `arguments_of` takes them.
        parent_of: as `load_config` takes it.

    Raises:
        ConfigError: there is no such config, or settings are wrong.
    """
    arguments = arguments_of(settings)
    if not isinstance(config, Mapping):
        return load_config(os.fspath(config), arguments, parent_of)
    all_arguments = [*_arguments(config), *arguments]
    return complete(document.parse("{}", SOURCE), all_arguments, Path(SOURCE), parent_of)


def arguments_of(settings: Settings) -> list[str]:
    """Return keywords as `key=value` arguments.

    A keyword is a setting of `train` (`epochs=3` is `train.epochs=3`), unless it is a key at the top of a
    config, such as `seed`, `data` or `model`. Text for `data` is the name of a data set.

    Raises:
        ConfigError: a value has no form in YAML.
    """
    full = {_key(keyword): value for keyword, value in settings.items()}
    if isinstance(full.get("data"), str):
        full["data.name"] = full.pop("data")
    return list(_arguments(full))


def _key(keyword: str) -> str:
    return keyword if keyword.split(".")[0] in Config.model_fields else f"train.{keyword}"


def _arguments(settings: Settings) -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _arguments({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            yield f"{key}={_text(key, value)}"


def _text(key: str, value: Any) -> str:
    """Return the value as JSON, which is YAML as well."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain)
    except (AttributeError, TypeError, ValueError):
        raise ConfigError(
            f"{key}: {type(value).__name__} is not a value of a config",
            hint="use numbers, text, true and false, lists and mappings",
        ) from None


def _plain(value: Any) -> Any:
    """Return a path as text, and a number of NumPy as a number."""
    return os.fspath(value) if isinstance(value, os.PathLike) else value.item()
