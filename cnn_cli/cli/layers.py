"""`cnn layers`."""

import inspect
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnn_cli.cli.options import Json

if TYPE_CHECKING:
    from cnn_cli.config.layers import Layer


def layers(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One layer; without it: all.")] = None,
    as_json: Json = False,
) -> None:
    """List the layers that a YAML may use, with their parameters and what each does to a shape."""
    from cnn_cli import console
    from cnn_cli.config.network import vocabulary
    from cnn_cli.errors import ConfigError

    known = vocabulary()
    if name is not None and name not in known:
        raise ConfigError(f"there is no layer {name!r}; there are {', '.join(known)}")
    chosen = [_described(key, layer) for key, layer in known.items() if name in (None, key)]
    for layer in chosen:
        if as_json:
            console.json_line(layer)
        else:
            console.line(_text(layer, full=name is not None))


def _described(name: str, layer: "type[Layer]") -> dict[str, Any]:
    parameters = [
        {
            "name": key,
            "default": None if field.is_required() else _plain(field.default),
            "required": field.is_required(),
            "meaning": " ".join((field.description or "").split()),
        }
        for key, field in layer.model_fields.items()
    ]
    about = inspect.cleandoc(layer.__doc__ or "")
    return {"name": name, "about": about, "shape": layer.shape, "main": layer.main, "parameters": parameters}


def _text(layer: dict[str, Any], full: bool) -> str:
    """One layer as lines: short in the list of all, with the meaning of every parameter where it is alone."""
    first, *more = layer["about"].splitlines()
    lines = [f"{layer['name']}: {first}", *(more if full else [])]
    lines += [f"    shape: {layer['shape']}"]
    for parameter in layer["parameters"]:
        default = "" if parameter["required"] else f" = {_written(parameter['default'])}"
        lines.append(f"    {parameter['name']}{default}: {parameter['meaning']}")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    """A default as a value of JSON; two equal numbers are one."""
    return value[0] if isinstance(value, tuple) and value[0] == value[1] else value


def _written(value: Any) -> str:
    """A default as the YAML writes it."""
    return value if isinstance(value, str) else json.dumps(value)
