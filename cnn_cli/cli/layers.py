"""`cnn layers`."""

import inspect
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnn_cli.cli.help import examples
from cnn_cli.cli.options import Json
from cnn_cli.text import did_you_mean

if TYPE_CHECKING:
    from cnn_cli.config.layers import Layer

EXAMPLES = examples("cnn layers", "cnn layers conv")


def layers(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A layer.  [default: all]")] = None,
    as_json: Json = False,
) -> None:
    """List the layers that a YAML may use, with their parameters and what each does to a shape."""
    from cnn_cli import console
    from cnn_cli.config.network import vocabulary
    from cnn_cli.errors import ConfigError

    known = vocabulary()
    if name is not None and name not in known:
        raise ConfigError(
            f"there is no layer {name!r}{did_you_mean(name, known)}",
            hint=f"the layers are {', '.join(known)}",
        )
    chosen = [_describe(key, layer) for key, layer in known.items() if name in (None, key)]
    for layer in chosen:
        if as_json:
            console.json_line(layer)
        else:
            console.line(_text(layer, full=name is not None))


def _describe(name: str, layer: "type[Layer]") -> dict[str, Any]:
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
    """Return the lines of one layer; `full` adds the rest of its description."""
    first, *more = layer["about"].splitlines()
    lines = [f"{layer['name']}: {first}", *(more if full else [])]
    lines += [f"    shape: {layer['shape']}"]
    for parameter in layer["parameters"]:
        default = "" if parameter["required"] else f" = {_as_yaml(parameter['default'])}"
        lines.append(f"    {parameter['name']}{default}: {parameter['meaning']}")
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    """Return a default as a JSON value: a pair of equal numbers as one number."""
    return value[0] if isinstance(value, tuple) and value[0] == value[1] else value


def _as_yaml(value: Any) -> str:
    """Return a default as YAML writes it."""
    return value if isinstance(value, str) else json.dumps(value)
