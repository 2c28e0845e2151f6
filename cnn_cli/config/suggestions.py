"""What an unknown key may mean: a key of the same section, a setting elsewhere, or another trainer's name."""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from cnn_cli.config.foreign_names import FOREIGN_NAMES, NO_SUCH_SETTING
from cnn_cli.text import close_matches, did_you_mean, suggestion


def settings_named(schema: type[BaseModel], name: str) -> list[str]:
    """Return the dotted keys that `name` means: `epochs` and `max_epochs` give ["train.epochs"].

    Several sections may have a setting of that name; those that are nested least count.
    """
    keys = list(_dotted_keys(schema))
    if FOREIGN_NAMES.get(name) in keys:
        return [FOREIGN_NAMES[name]]
    named = [key for key in keys if key.rpartition(".")[2] == name]
    least = min((key.count(".") for key in named), default=0)
    return [key for key in named if key.count(".") == least]


def unknown_key(name: str, known: Sequence[str], schema: type[BaseModel]) -> str:
    """Return the message about a key that its section does not have.

    Args:
        name: the key as it was written.
        known: the keys of the section.
        schema: the schema of the whole config, in which the name may stand elsewhere.
    """
    if name in NO_SUCH_SETTING:
        return f"unknown key {name!r}: {NO_SUCH_SETTING[name]}"
    elsewhere = settings_named(schema, name)
    if elsewhere == [name]:
        return f"unknown key {name!r}: it belongs at the top level of the config"
    near = elsewhere or close_matches(name, known) or _close_settings(schema, name)
    return f"unknown key {name!r}{suggestion(near) or list_of(known)}"


def unknown_name(name: str, known: Sequence[str]) -> str:
    """Return the message about a key in a part of the config that has nothing to do with the settings."""
    return f"unknown key {name!r}{did_you_mean(name, known) or list_of(known)}"


def list_of(known: Sequence[str], what: str = "keys") -> str:
    """Return `; known keys: parameters, layers`, or '' if there are none."""
    return f"; known {what}: {', '.join(known)}" if known else ""


def _close_settings(schema: type[BaseModel], name: str) -> list[str]:
    """Return the settings whose last name is spelled almost like `name`."""
    last_names = {key.rpartition(".")[2] for key in _dotted_keys(schema)}
    return [key for word in close_matches(name, sorted(last_names)) for key in settings_named(schema, word)]


def _dotted_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in schema.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _dotted_keys(field.annotation, f"{prefix}{name}.")
