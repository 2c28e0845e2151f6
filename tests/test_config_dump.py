"""The record of a run: the resolved config as YAML, which reads back as the same config."""

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from cnn_cli.checkpoint.start import parent_of
from cnn_cli.config.document import parse
from cnn_cli.config.dump import _Dumper, _layout, dump, schema_json
from cnn_cli.config.load import load_config, load_text
from cnn_cli.config.scalars import FORBIDDEN
from cnn_cli.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = sorted((ROOT / "configs").glob("**/*.yaml"))

NETWORK = """\
name: 1e3
data: {root: 'yes', mirrors: [a], mean: 0.13}
model:
  layers:
    - conv: {out: 6, kernel: [5, 3], padding: same}
    - relu
    - pool: 2
    - flatten
    - linear: 10
train: {lr: 1e-5, optimizer: sgd, momentum: 0.5}
"""


def test_there_are_shipped_configs() -> None:
    assert SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_config_loads_and_reads_back(path: Path) -> None:
    config = load_config(str(path), parent_of=parent_of).config
    assert load_text(dump(config), "dumped").config == config


def test_a_dump_reads_back_as_the_same_config() -> None:
    config = load_text(NETWORK.replace("1e3", "'1e3'"), "a.yaml").config
    assert load_text(dump(config), "dumped").config == config
    assert load_text(dump(load_text(dump(config), "dumped").config), "again").config == config


def test_a_dump_is_for_people() -> None:
    text = dump(load_text(NETWORK.replace("1e3", "'1e3'"), "a.yaml").config)
    lines = text.splitlines()
    assert lines[:2] == ["name: '1e3'", "seed: 0"]
    assert [line for line in lines if not line.startswith(" ")][2:] == [
        "data:",
        "model:",
        "train:",
        "output:",
    ]
    assert (
        "  - conv: {out: 6, kernel: [5, 3], stride: 1, padding: same, dilation: 1, groups: 1, bias: true}"
        in lines
    )
    assert "  - relu" in lines
    assert "  root: 'yes'" in lines
    assert "  mirrors: [a]" in lines
    assert "  betas: [0.9, 0.999]" in lines
    assert "base" not in yaml.safe_load(text)


def test_a_dump_means_the_same_in_yaml_1_1() -> None:
    text = dump(load_text(NETWORK.replace("1e3", "'1e3'"), "a.yaml").config)
    assert yaml.safe_load(text) == parse(text, "a.yaml").plain()


@given(
    st.text().filter(lambda text: not FORBIDDEN.search(text))
    | st.from_regex(r"[-+]?\.?[0-9]+\.?([eE][-+]?[0-9]+)?", fullmatch=True)
)
@example("\x85")
@example("a\u2028b")
@example("1e-3")
def test_every_text_is_quoted_where_it_must_be(value: str) -> None:
    text = yaml.dump({"key": value}, Dumper=_Dumper, allow_unicode=True)
    assert parse(text, "a.yaml").plain() == {"key": value}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_keeps_its_bits(value: float) -> None:
    assert parse(yaml.dump({"key": value}, Dumper=_Dumper), "a.yaml").plain() == {"key": value}


def test_layers_inside_a_layer_stay_one_a_line() -> None:
    """Combinators hold layers of their own; the layout must not put a whole network on a line."""
    value = {"layers": [{"residual": {"layers": [{"conv": {"out": 3}}, "relu"]}}, {"pool": {"window": 2}}]}
    assert yaml.dump(_layout(value), Dumper=_Dumper) == (
        "layers:\n- residual:\n    layers:\n    - conv: {out: 3}\n    - relu\n- pool: {window: 2}\n"
    )


KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}


def _fits(value: Any, schema: dict[str, Any], top: dict[str, Any]) -> bool:
    """Whether a value fits a JSON schema, as far as ours goes."""
    if "$ref" in schema:
        return _fits(value, top["$defs"][schema["$ref"].rsplit("/", 1)[1]], top)
    if "anyOf" in schema:
        return any(_fits(value, form, top) for form in schema["anyOf"])
    if "not" in schema and _fits(value, schema["not"], top):
        return False
    choices = schema.get("enum", [schema.get("const", value)])
    if value not in choices or not isinstance(value, KINDS.get(schema.get("type"), object)):
        return False
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        return False
    if type(value) is int and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return False
    if isinstance(value, dict):
        return _map_fits(value, schema, top)
    return not isinstance(value, list) or all(_fits(item, schema.get("items", {}), top) for item in value)


def _map_fits(value: dict[str, Any], schema: dict[str, Any], top: dict[str, Any]) -> bool:
    if "propertyNames" in schema:
        return len(value) == 1 and all(_fits(key, schema["propertyNames"], top) for key in value)
    if "properties" not in schema:  # of a map whose keys are names that users choose
        return all(_fits(item, schema.get("additionalProperties", {}), top) for item in value.values())
    known, needed = schema["properties"], schema.get("required", [])
    few = len(value) <= schema.get("maxProperties", len(value))
    inside = all(key in known and _fits(item, known[key], top) for key, item in value.items())
    return few and inside and all(key in value for key in needed)


KEYWORDS = {
    *("$defs", "$ref", "$schema", "additionalProperties", "anyOf", "const", "default", "description", "enum"),
    *("examples", "exclusiveMaximum", "exclusiveMinimum", "items", "maxItems", "maxLength", "maximum"),
    *("maxProperties", "minItems", "minLength", "minProperties", "minimum", "not", "pattern"),
    *("patternProperties", "prefixItems", "properties", "propertyNames", "required", "title", "type"),
}
"""Words of JSON Schema (draft 2020-12). A validator ignores any other."""


def _misspelled(schema: Any) -> set[str]:
    """Return the words of a schema, and of those inside it, that mean nothing."""
    if isinstance(schema, list):
        return set().union(*map(_misspelled, schema))
    if not isinstance(schema, dict):
        return set()
    named = ("$defs", "patternProperties", "properties")  # their keys are names
    inner = [*(part for key in named for part in schema.get(key, {}).values())]
    inner += [value for key, value in schema.items() if key not in (*named, "default", "enum", "examples")]
    types = schema.get("type", "string")
    return schema.keys() - KEYWORDS | ({types} - {"boolean", *KINDS}) | _misspelled(inner)


def test_the_schema_has_only_words_of_json_schema() -> None:
    assert not _misspelled(json.loads(schema_json()))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_editors_accept_what_ships(path: Path) -> None:
    schema = json.loads(schema_json())
    for item in parse(path.read_text(), path.name).plain().get("model", {}).get("layers", []):
        assert _fits(item, schema["$defs"]["Item"], schema), item
    resolved = parse(dump(load_config(str(path), parent_of=parent_of).config), path.name).plain()
    assert _fits(resolved, schema, schema)


@pytest.mark.parametrize(
    ("item", "fits"),
    [
        ("relu", True),
        ({"relu": None}, True),
        ({"linear": 10}, True),
        ({"norm": "batch"}, True),
        ({"pool": [2, 3]}, True),
        ({"conv": {"out": 6, "kernel": [5, 3], "padding": "same"}}, True),
        ("conv", False),
        ("rleu", True),  # it may be a block: a schema cannot see which there are
        ({"inception": {"3x3": 128}}, True),
        ({"residual": ["relu", {"conv": {"out": 6, "kernel": 3}}]}, True),
        ({"residual": {"layers": ["relu"], "shortcut": []}}, True),
        ({"residual": [{"conv": {"out": 6}}]}, False),
        ({"residual": {"shortcut": []}}, False),
        ({"parallel": [["relu"], []]}, True),
        ({"parallel": ["relu"]}, False),
        ({"linear": "classes"}, True),
        ({"linear": "ten"}, False),
        ({"conv": {"out": 6}}, False),
        ({"conv": {"out": 6, "kernel": 5, "filters": 3}}, False),
        ({"relu": None, "tanh": None}, False),
    ],
)
def test_editors_accept_the_short_forms_of_layers(item: object, fits: bool) -> None:
    schema = json.loads(schema_json())
    assert _fits(item, schema["$defs"]["Item"], schema) is fits


def test_the_schema_for_editors_has_every_key() -> None:
    schema = json.loads(schema_json())
    assert set(schema["properties"]) == {"base", "name", "seed", "data", "model", "train", "output"}
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Train"]["properties"]["epochs"]["description"].startswith("Number of passes over")


@pytest.mark.parametrize(
    ("setting", "value", "fits"),
    [
        ("device", "gpu", True),
        ("device", 0, True),
        ("device", "cuda:1", True),
        ("device", "tpu", False),
        ("device", -1, False),
        ("precision", "bf16", True),
        ("precision", "fp32", True),
        ("precision", "float", True),
        ("precision", "fp16", False),
    ],
)
def test_editors_accept_devices_and_precisions_as_people_type_them(
    setting: str, value: object, fits: bool
) -> None:
    """The program accepts the same values."""
    schema = json.loads(schema_json())
    assert _fits(value, schema["$defs"]["Train"]["properties"][setting], schema) is fits
    text = f"train: {{{setting}: {value}}}\nmodel: {{layers: [flatten, linear: 10]}}\n"
    with nullcontext() if fits else pytest.raises(ConfigError):
        load_text(text, "a.yaml")
