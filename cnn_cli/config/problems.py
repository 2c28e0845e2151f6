"""What the schema finds wrong -> one line a problem, with its place and in plain English."""

import difflib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cnn_cli.config.tree import KeyPath, Node, SourcePosition
from cnn_cli.errors import dotted

MAX_PROBLEMS = 20
_LONGEST_VALUE = 40

_Models: TypeAlias = list[type[BaseModel]]


def problem(tree: Node, path: KeyPath, text: str) -> str:
    """`my.yaml:14:7 model.layers[4].pool: text`, with the place of the nearest thing that was written."""
    return _line(tree, tree.nearest(path)[0].position, path, text)


def problems(error: ValidationError, tree: Node, schema: type[BaseModel]) -> list[str]:
    """One line a problem, in the order of the files, then those of the arguments."""
    groups = _innermost(_group(error.errors(include_url=False), tree, schema))
    placed = sorted(((_position(group, tree), group) for group in groups), key=lambda pair: _order(pair[0]))
    # A mistake in a block comes with every use of it: the first one says it.
    said: dict[tuple[SourcePosition, str, KeyPath], KeyPath] = {}
    for position, group in placed:
        said.setdefault((position, _explain(group), group.path[-1:]), group.path)
    lines = [
        _line(tree, position, path, text) for (position, text, _), path in list(said.items())[:MAX_PROBLEMS]
    ]
    more = len(said) - MAX_PROBLEMS
    return [*lines, f"... and {more} more"] if more > 0 else lines


def _line(tree: Node, position: SourcePosition, path: KeyPath, text: str) -> str:
    uses = [f"block {name!r} used at {use}" for name, use in tree.uses(path) if use.line != position.line]
    text = f"{text} ({', '.join(uses)})" if uses else text
    return f"{position} {dotted(tree.written(path))}: {text}" if path else f"{position}: {text}"


def _order(position: SourcePosition) -> tuple[bool, str, int, int]:
    return position.line == 0, position.source, position.line, position.column


@dataclass
class _Group:
    """All complaints about one place: a value that may be of several types has one for each of them."""

    path: KeyPath
    models: _Models  # what may stand at the parent of `path`: the source of suggestions
    errors: list[ErrorDetails] = field(default_factory=list)


def _group(errors: list[ErrorDetails], tree: Node, schema: type[BaseModel]) -> list[_Group]:
    groups: dict[KeyPath, _Group] = {}
    for error in errors:
        path, models = _place(error, tree, schema)
        groups.setdefault(path, _Group(path, models)).errors.append(error)
    return list(groups.values())


def _innermost(groups: list[_Group]) -> list[_Group]:
    """Without complaints about a value in which something is wrong already.

    They only follow from it: the other members of a union that do not fit either, a list that is too short
    because pydantic counts its good items.
    """
    outer = {group.path[:length] for group in groups for length in range(len(group.path))}
    return [group for group in groups if group.path not in outer]


def _place(error: ErrorDetails, tree: Node, schema: type[BaseModel]) -> tuple[KeyPath, _Models]:
    """The path without pydantic's labels for the members of unions, and the models that hold its last key."""
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
    """The models that may stand under `key`."""
    fields = [model.model_fields[key] for model in models if key in model.model_fields]
    return [model for info in fields for model in _models_in(info.annotation)]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _position(group: _Group, tree: Node) -> SourcePosition:
    """Where a message about the group points: at the key itself where the key is what is wrong."""
    node, depth = tree.nearest(group.path)
    unknown = group.errors[0]["type"] == "extra_forbidden" and depth == len(group.path)
    return node.key if unknown else node.position


def _explain(group: _Group) -> str:
    """What is wrong there."""
    error = group.errors[0]
    if error["type"] == "extra_forbidden":
        return _unknown_key(group)
    if error["type"] == "missing":
        return "is missing, and it has no default"
    expected: dict[str, None] = {}  # a set that keeps the order: `int | float` expects a number twice
    for error in group.errors:
        words = _expectation(error)
        if words is None:
            return _own_words(error)
        expected[words] = None
    suggestion = _did_you_mean(error["input"], [name for error in group.errors for name in _choices(error)])
    return f"must be {' or '.join(expected)}, not {_show(error['input'])}{suggestion}"


def _unknown_key(group: _Group) -> str:
    known = _fields(group.models)
    suggestion = _did_you_mean(group.path[-1], known)
    return (
        f"unknown key{suggestion}"
        if suggestion or not known
        else f"unknown key; known are {', '.join(known)}"
    )


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
"""By pydantic's error type: what completes `must be ..., not ...`, from the error's limits."""


def _expectation(error: ErrorDetails) -> str | None:
    words = _EXPECTATIONS.get(error["type"])
    return words(error.get("ctx", {})) if callable(words) else words


def _own_words(error: ErrorDetails) -> str:
    """What a validator of the schema says, or pydantic where nobody found better words."""
    if "error" in error.get("ctx", {}):
        return str(error["ctx"]["error"])
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}"


def _choices(error: ErrorDetails) -> list[str]:
    return _members(error["ctx"]["expected"]) if error["type"] in ("literal_error", "enum") else []


def _members(expected: str) -> list[str]:
    """`'a', 'b' or 'c'`, as pydantic lists choices, as a list of names."""
    return [name.strip("'") for name in re.split(r", | or ", expected)]


def _limit(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _items(count: int) -> str:
    return f"{count} item" if count == 1 else f"{count} items"


def _did_you_mean(value: object, choices: list[str]) -> str:
    near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    return f" (did you mean {near[0]!r}?)" if near else ""


def _show(value: object) -> str:
    """A value as the YAML writes it, cut where it is long."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
