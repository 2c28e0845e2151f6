"""The config that a checkpoint or a saved state holds, also one of a version with other names of settings."""

from collections.abc import Mapping
from typing import Any

from cnn_cli.config.schema import Config


def stored_config(values: Mapping[str, Any]) -> Config:
    """Return a config from its JSON values.

    Until `data.own` read data in any form, it was `data.folder`.

    Raises:
        ValueError: it is no config.
    """
    data = values.get("data")
    if not isinstance(data, Mapping) or "folder" not in data:
        return Config.model_validate(values)
    renamed = {"own" if key == "folder" else key: value for key, value in data.items()}
    if renamed.get("name") == "folder":
        renamed["name"] = "own"
    return Config.model_validate({**values, "data": renamed})
