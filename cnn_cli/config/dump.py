"""A checked config as YAML, which loads back to an equal config, and the JSON schema for editors."""

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
    """A map to be written on one line."""


class _FlowList(list[Any]):
    """A list to be written on one line."""


_LINE_BREAKS = ("\x85", "\u2028", "\u2029")  # PyYAML writes them raw, and parsers fold them into a space


def _represent_text(dumper: BaseRepresenter, text: str) -> yaml.Node:
    style = '"' if any(character in text for character in _LINE_BREAKS) else None
    return dumper.represent_scalar(PREFIX + "str", text, style=style)


class _Dumper(yaml.SafeDumper):
    """A dumper that quotes every text that YAML 1.1 or our own scalars would parse as something else."""

    yaml_implicit_resolvers = {**yaml.SafeDumper.yaml_implicit_resolvers, **RESOLVERS}  # noqa: RUF012
    yaml_representers: ClassVar = {
        **yaml.SafeDumper.yaml_representers,
        str: _represent_text,
        _Flow: lambda dumper, value: dumper.represent_mapping(PREFIX + "map", value, flow_style=True),
        _FlowList: lambda dumper, value: dumper.represent_sequence(PREFIX + "seq", value, flow_style=True),
    }

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out each time: an alias saves nothing here and hides the value."""
        return True


def dump(config: BaseModel) -> str:
    """Return the whole config, defaults included, in the order of the schema: the record of a run."""
    values = _layout(config.model_dump(mode="json"))
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_VERY_WIDE)


def schema_json() -> str:
    """Return the JSON schema of a config file, with which editors complete and check."""
    schema = Config.model_json_schema()
    base = {"type": "string", "description": "The config that this one builds on, by name or path."}
    schema["properties"] = {"base": base, **schema["properties"]}
    schema["$defs"]["Item"] = _item_schema(schema["$defs"])
    return json.dumps(schema, indent=2) + "\n"


def _item_schema(definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a layer in all its short forms; pydantic only has the form after validation."""
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
    # A schema cannot depend on the blocks of the same file, so any other name may be a block.
    other = {"not": {"enum": list(forms)}}
    block = one_key | {"propertyNames": other}
    return {
        "description": Item.__doc__,
        "anyOf": [{"enum": bare_names}, layer, {"type": "string", **other}, block],
    }


def _layout(value: Any) -> Any:
    """Put maps on several lines, except those in the items of a list: one line is one layer."""
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
    """Put the parameters of a layer on one line, unless they contain layers."""
    if isinstance(value, dict) and not any(_holds_maps(item) for item in value.values()):
        return _Flow(value)
    return _layout(value)


def _holds_maps(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) or _holds_maps(item) for item in value)
