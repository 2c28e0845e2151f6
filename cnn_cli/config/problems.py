"""The schema's errors -> one ConfigError: a line for each problem, with its place and in plain English."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cnn_cli.config.suggestions import settings_named, unknown_key, unknown_name
from cnn_cli.config.tree import KeyPath, Node, SourcePosition
from cnn_cli.errors import ConfigError, dotted
from cnn_cli.text import did_you_mean, shorten

MAX_PROBLEMS = 20
_LONGEST_VALUE = 40

_Models: TypeAlias = list[type[BaseModel]]


def problem(tree: Node, path: KeyPath, text: str) -> str:
    """Return `my.yaml:14:7 model.layers[4].pool: text`, with the place of the nearest written value."""
    return _line(tree, tree.nearest(path)[0].position, path, text)


def config_error(error: ValidationError, tree: Node, schema: type[BaseModel]) -> ConfigError:
    """Return the error with one line for each problem, in the order of the files, then of the arguments."""
    groups = _innermost(_group(error.errors(include_url=False), tree, schema))
    placed = sorted(((_position(group, tree), group) for group in groups), key=lambda pair: _order(pair[0]))
    # A mistake in a block comes back with every use of the block: report the first one.
    different: dict[tuple[SourcePosition, str, KeyPath], _Group] = {}
    for position, group in placed:
        different.setdefault((position, group.errors[0]["type"], group.path[-1:]), group)
    lines = [
        _line(
            tree, position, group.path[:-1] if _is_unknown_key(group) else group.path, _explain(group, schema)
        )
        for (position, _, _), group in list(different.items())[:MAX_PROBLEMS]
    ]
    more = len(different) - MAX_PROBLEMS
    lines += [f"... and {more} more"] if more > 0 else []
    return ConfigError(*lines, hint=_hint(placed, schema))


def _hint(placed: list[tuple[SourcePosition, "_Group"]], schema: type[BaseModel]) -> str | None:
    """Return the right form of the first argument whose key is a setting elsewhere, such as `lr=0.1`."""
    for position, group in placed:
        if not position.line and _is_unknown_key(group) and not _is_in_list(group.path):
            settings = settings_named(schema, str(group.path[-1]))
            if len(settings) == 1:
                return f"settings are written key=value: {settings[0]}=..."
    return None


def _line(tree: Node, position: SourcePosition, path: KeyPath, text: str) -> str:
    uses = [f"block {name!r} used at {use}" for name, use in tree.uses(path) if use.line != position.line]
    text = f"{text} ({', '.join(uses)})" if uses else text
    return f"{position.of(dotted(tree.written(path)))}: {text}" if path else f"{position}: {text}"


def _order(position: SourcePosition) -> tuple[bool, str, int, int]:
    return position.line == 0, position.source, position.line, position.column


@dataclass
class _Group:
    """All errors at one place: pydantic reports one for each type that a value may have."""

    path: KeyPath
    models: _Models  # what may stand at the parent of `path`; their fields are the known keys
    errors: list[ErrorDetails] = field(default_factory=list)


def _group(errors: list[ErrorDetails], tree: Node, schema: type[BaseModel]) -> list[_Group]:
    groups: dict[KeyPath, _Group] = {}
    for error in errors:
        path, models = _place(error, tree, schema)
        groups.setdefault(path, _Group(path, models)).errors.append(error)
    return list(groups.values())


def _innermost(groups: list[_Group]) -> list[_Group]:
    """Drop the errors of a value that contains another error.

    They only follow from it: the other members of a union that do not fit either, or a list that is too
    short because pydantic counts its valid items.
    """
    outer = {group.path[:length] for group in groups for length in range(len(group.path))}
    return [group for group in groups if group.path not in outer]


def _place(error: ErrorDetails, tree: Node, schema: type[BaseModel]) -> tuple[KeyPath, _Models]:
    """Return the path without pydantic's labels of union members, and the models that hold its last key."""
    path: KeyPath = ()
    node: Node | None = tree
    models, parents = [schema], [schema]
    last = len(error["loc"]) - 1
    for position, part in enumerate(error["loc"]):
        below = node.child(part) if node else None
        known = isinstance(part, int) or part in _fields(models)
        unknown_key = position == last and error["type"] == "extra_forbidden"
        if not (below or known or unknown_key):
            continue
        path, node = (*path, part), below
        if isinstance(part, str):
            parents, models = models, _below(models, part)
    return path, parents


def _fields(models: _Models) -> list[str]:
    return [name for model in models for name in model.model_fields]


def _below(models: _Models, key: str) -> _Models:
    """Return the models that may stand under `key`."""
    fields = [model.model_fields[key] for model in models if key in model.model_fields]
    return [model for info in fields for model in _models_in(info.annotation)]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _is_unknown_key(group: _Group) -> bool:
    return group.errors[0]["type"] == "extra_forbidden"


def _is_in_list(path: KeyPath) -> bool:
    """Return whether the path leads into a list, such as the layers of a network."""
    return any(isinstance(part, int) for part in path)


def _position(group: _Group, tree: Node) -> SourcePosition:
    """Return where the message points: at the key if the key is wrong, else at the value."""
    node, length = tree.nearest(group.path)
    return node.key if _is_unknown_key(group) and length == len(group.path) else node.position


def _explain(group: _Group, schema: type[BaseModel]) -> str:
    """Return what is wrong there."""
    error = group.errors[0]
    if error["type"] == "extra_forbidden":
        return _unknown_key(group, schema)
    if error["type"] == "missing":
        return "is missing, and it has no default"
    return explain_value(group.errors)


def explain_value(errors: Sequence[ErrorDetails]) -> str:
    """Return what a value must be, and what it is.

    Args:
        errors: pydantic's, all about the same value; at least one.
    """
    expected: dict[str, None] = {}  # a set that keeps the order: `int | float` expects a number twice
    for error in errors:
        words = _expectation(error)
        if words is None:
            return _message(error)
        expected[words] = None
    value, choices = errors[0]["input"], [name for error in errors for name in _choices(error)]
    near = did_you_mean(value, choices) if isinstance(value, str) else ""
    return f"must be {' or '.join(expected)}, not {_quote(value)}{near}"


def _unknown_key(group: _Group, schema: type[BaseModel]) -> str:
    name, known = str(group.path[-1]), _fields(group.models)
    return unknown_name(name, known) if _is_in_list(group.path) else unknown_key(name, known, schema)


_EXPECTATIONS: dict[str, str | Callable[[dict[str, Any]], str]] = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "none_required": "null",
    "greater_than": lambda limits: f"greater than {_limit(limits['gt'])}",
    "greater_than_equal": lambda limits: f"at least {_limit(limits['ge'])}",
    "less_than": lambda limits: f"less than {_limit(limits['lt'])}",
    "less_than_equal": lambda limits: f"at most {_limit(limits['le'])}",
    "too_short": lambda limits: f"a list of at least {_items(limits['min_length'])}",
    "too_long": lambda limits: f"a list of at most {_items(limits['max_length'])}",
    "string_too_short": lambda limits: f"at least {limits['min_length']} characters long",
    "string_too_long": lambda limits: f"at most {limits['max_length']} characters long",
    "string_pattern_mismatch": lambda limits: f"text of the form {limits['pattern']}",
    "expected": lambda limits: str(limits["what"]),
    "literal_error": lambda limits: f"one of {', '.join(_members(limits['expected']))}",
    "enum": lambda limits: f"one of {', '.join(_members(limits['expected']))}",
}
"""By pydantic's error type: what completes `must be ..., not ...`, from the limits in the error."""


def _expectation(error: ErrorDetails) -> str | None:
    words = _EXPECTATIONS.get(error["type"])
    return words(error.get("ctx", {})) if callable(words) else words


def _message(error: ErrorDetails) -> str:
    """Return the message of a validator of the schema, or else pydantic's own."""
    if "error" in error.get("ctx", {}):
        return str(error["ctx"]["error"])
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}"


def _choices(error: ErrorDetails) -> list[str]:
    return _members(error["ctx"]["expected"]) if error["type"] in ("literal_error", "enum") else []


def _members(expected: str) -> list[str]:
    """Split `'a', 'b' or 'c'`, as pydantic lists choices, into names."""
    return [name.strip("'") for name in re.split(r", | or ", expected)]


def _limit(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _items(count: int) -> str:
    return f"{count} item" if count == 1 else f"{count} items"


def _quote(value: object) -> str:
    """Return a value as YAML writes it, cut if it is long."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return shorten(text, _LONGEST_VALUE)
