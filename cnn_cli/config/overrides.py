"""`key=value` arguments: settings that replace those of the file."""

import re
from collections.abc import Iterable

from cnn_cli.config.document import MAX_DEPTH, TOO_DEEP, parse_value
from cnn_cli.config.tree import KeyPath, Node, SourcePosition
from cnn_cli.errors import ConfigError, dotted
from cnn_cli.text import printable, shorten

_INDEX = re.compile(r"\[(\d+)\]")
_LONGEST = 60  # characters of an argument in a message


def apply(tree: Node, arguments: Iterable[str]) -> Node:
    """Return the tree with every argument applied in order, so that the last one for a key wins.

    Raises:
        ConfigError: arguments cannot be applied; one line for each.
    """
    problems = []
    for argument in arguments:
        try:
            tree = _apply(tree, argument)
        except ConfigError as error:
            problems.append(error.message)
    if problems:
        raise ConfigError(*problems)
    return tree


def _apply(tree: Node, argument: str) -> Node:
    short = shorten(argument, _LONGEST)
    position = SourcePosition(f"argument {short!r}", argument=short)
    key, equals, text = argument.partition("=")
    if not equals:
        raise ConfigError(f"{position}: an override is key=value, such as train.epochs=3")
    parts = _INDEX.sub(r".\1", key.strip()).split(".")  # messages write model.layers[0], so accept it too
    if not all(parts):
        missing = "a part of the key" if any(parts) else "the key"
        raise ConfigError(f"{position}: {missing} is missing before the '='")
    if parts[0] == "base":
        raise ConfigError(f"{position}: `base` works in files only; name the other config itself")
    value = parse_value(text, position)
    if len(parts) + value.depth > MAX_DEPTH:
        raise ConfigError(f"{position}: {TOO_DEEP}")
    return _set(tree, parts, value, (), position)


def _set(node: Node, parts: list[str], value: Node, above: KeyPath, position: SourcePosition) -> Node:
    """Return a tree like `node`, which stands at `above`, with `value` at `parts` below it."""
    if not parts:
        return value
    part, rest = parts[0], parts[1:]
    if isinstance(node.value, list):
        index = _index(node.value, part, above, position)
        items = list(node.value)
        items[index] = _set(items[index], rest, value, (*above, index), position)
        return Node(items, node.position, node.key)
    if not isinstance(node.value, dict | None):
        raise ConfigError(
            f"{position}: {dotted(above)} is {node.kind}, so it has no key {shorten(part, _LONGEST)!r}"
        )
    values = dict(node.value or {})  # a section may be absent, or empty: `train:`
    before = values.get(part, Node(None, position, position))
    values[part] = _set(before, rest, value, (*above, part), position)
    return Node(values, node.position, node.key)


def _index(items: list[Node], part: str, above: KeyPath, position: SourcePosition) -> int:
    if not (part.isascii() and part.isdigit()):
        raise ConfigError(f"{position}: {dotted(above)} is a list: name an item by its number, from 0")
    if len(part) > 6 or int(part) >= len(items):
        count = f"{len(items)} items, 0 to {len(items) - 1}" if items else "no items"
        raise ConfigError(f"{position}: {dotted(above)} has {count}, but no item {printable(part, 20)}")
    return int(part)
