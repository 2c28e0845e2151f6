"""What others read: a checked config as YAML, which loads back to an equal one, and a schema for editors."""

import json
from typing import Any, ClassVar, get_args

import yaml
from pydantic import BaseModel
from yaml.representer import BaseRepresenter

from cnn_cli.config.layers import Layer
from cnn_cli.config.network import Item
from cnn_cli.config.scalars import PREFIX, RESOLVERS
from cnn_cli.config.schema import Config

_VERY_WIDE = 1_000_000  # characters: one layer stays on one line


class _Flow(dict[str, Any]):
    """A map that is written on one line."""


class _FlowList(list[Any]):
    """A list that is written on one line."""


_BREAKS_OF_OTHERS = ("\x85", "\u2028", "\u2029")  # PyYAML writes them raw, and readers fold them into a space


def _represent_text(dumper: BaseRepresenter, text: str) -> yaml.Node:
    style = '"' if any(character in text for character in _BREAKS_OF_OTHERS) else None
    return dumper.represent_scalar(PREFIX + "str", text, style=style)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 or our own scalars would read as something else."""

    yaml_implicit_resolvers = {**yaml.SafeDumper.yaml_implicit_resolvers, **RESOLVERS}  # noqa: RUF012
    yaml_representers: ClassVar = {
        **yaml.SafeDumper.yaml_representers,
        str: _represent_text,
        _Flow: lambda dumper, value: dumper.represent_mapping(PREFIX + "map", value, flow_style=True),
        _FlowList: lambda dumper, value: dumper.represent_sequence(PREFIX + "seq", value, flow_style=True),
    }

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out each time: an alias saves nothing here and hides what is set."""
        return True


def dump(config: BaseModel) -> str:
    """The whole config, defaults included, in the order of the schema: the record of what ran."""
    values = _layout(config.model_dump(mode="json"))
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_VERY_WIDE)


def schema_json() -> str:
    """The JSON schema of a config file, which editors use to complete and check."""
    schema = Config.model_json_schema()
    base = {"type": "string", "description": "Config that this one builds on, by name or path."}
    schema["properties"] = {"base": base, **schema["properties"]}
    schema["$defs"]["Item"] = _item_schema(schema["$defs"])
    return json.dumps(schema, indent=2) + "\n"


def _item_schema(definitions: dict[str, Any]) -> dict[str, Any]:
    """A layer in all the ways that people write it; pydantic knows only what validators make of them."""
    bare_names, forms = [], {}
    for name, info in Item.model_fields.items():
        layer = next(kind for kind in get_args(info.annotation) if issubclass(kind, Layer))
        body = definitions[layer.__name__]
        forms[name] = {"anyOf": [{"$ref": f"#/$defs/{layer.__name__}"}]}
        if layer.main:
            forms[name]["anyOf"].append(body["properties"][layer.main])
        if not body.get("required"):
            forms[name]["anyOf"].append({"type": "null"})
            bare_names.append(name)
    one_key = {"type": "object", "minProperties": 1, "maxProperties": 1}
    layer = one_key | {"properties": forms, "additionalProperties": False}
    # Which blocks there are is in the same file, out of a schema's sight: any other name may be one.
    other = {"not": {"enum": list(forms)}}
    block = one_key | {"propertyNames": other}
    return {
        "description": Item.__doc__,
        "anyOf": [{"enum": bare_names}, layer, {"type": "string", **other}, block],
    }


def _layout(value: Any) -> Any:
    """Maps over several lines, except those in the items of a list: a line is a layer."""
    if isinstance(value, dict):
        return {key: _layout(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    return [_item(item) for item in value] if _holds_maps(value) else _FlowList(value)


def _item(value: Any) -> Any:
    if not isinstance(value, dict):
        return _layout(value)
    return {key: _parameters(item) for key, item in value.items()}


def _parameters(value: Any) -> Any:
    """A layer's parameters on one line, unless they hold layers of their own."""
    if isinstance(value, dict) and not any(_holds_maps(item) for item in value.values()):
        return _Flow(value)
    return _layout(value)


def _holds_maps(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) or _holds_maps(item) for item in value)
