"""YAML text -> a tree of values with their positions.

A config may come from an untrusted source, so its size, nesting and aliases are limited: no text takes long
to parse, and every error is one ConfigError with its position.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from cnn_cli.config.scalars import PREFIX, RESOLVERS, refuse_forbidden, scalar
from cnn_cli.config.tree import Node, SourcePosition
from cnn_cli.errors import ConfigError
from cnn_cli.text import printable

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML built without libyaml: slower, the same trees
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

MAX_BYTES = 256 * 1024  # a config of a hundred layers is about 4 KiB
MAX_VALUES = 20_000  # counted after aliases are expanded, so that an alias bomb stops here
MAX_DEPTH = 64

_Locate: TypeAlias = Callable[[Any], SourcePosition]
"""Turns a position of PyYAML, which counts from 0 and has one class for each parser, into ours."""

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

# The parser's message, which is what it expected -> what a person can fix.
# The messages of libyaml and of PyYAML's own parser differ a little.
_FITS_NOTHING = "this fits nothing before it: check the indentation and the quotes"
TOO_DEEP = f"more than {MAX_DEPTH} levels of nesting, which no config needs"
_PLAIN_ENGLISH = {
    "exceeded maximum nesting depth": TOO_DEEP,  # libyaml reads 1,000 brackets before it gives one
    "mapping values are not allowed": "a ': ' is not allowed here: check the indentation and the quotes",
    "could not find expected ':'": "the ':' after this key is missing",
    "did not find expected key": _FITS_NOTHING,
    "did not find expected '-' indicator": _FITS_NOTHING,
    "expected <block end>": _FITS_NOTHING,
    "expected ',' or ']'": "the list that opens here lacks a ',' or its ']'",
    "expected ',' or '}'": "the map that opens here lacks a ',' or its '}'",
    "found unexpected end of stream": "the quote that opens here is never closed",
    "found undefined alias": "this alias has no anchor before it",
    "second occurrence": "there is an anchor of this name above already",
    "but found another document": "a second document begins here, but a config is one document",
    "expected node content": "a value is missing",
    "expected the node content": "a value is missing",
}
# The parser notices these at the end of the text or line; the message points at where the thing begins.
_OPENED_BEFORE = ("expected ',' or ", "expected ':'", "unexpected end of stream")


class UnreadableError(ConfigError):
    """A file that is no config as a whole, so that its message has no line and column."""


def read(path: Path) -> Node:
    """Read a YAML file whose top level is a map.

    Raises:
        UnreadableError: the file cannot be read, or is too long.
        ConfigError: it cannot be parsed.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise UnreadableError(_too_long(str(path)))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        position = _position_after(data[: error.start].decode(), str(path))
        raise ConfigError(f"{position}: this is not UTF-8 text") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Node:
    """Parse a config: one document with a map at its top level. Messages name it `source`."""
    if len(text) > MAX_BYTES:
        raise UnreadableError(_too_long(source))
    text = text.removeprefix("\ufeff")
    refuse_forbidden(text, lambda index: _position_after(text[:index], source))
    root = _tree(text, lambda position: SourcePosition(source, position.line + 1, position.column + 1))
    if root is None:
        raise ConfigError(f"{source}:1:1: there is nothing in this config")
    if not isinstance(root.value, dict):
        raise ConfigError(f"{root.position}: a config is a map of `key: value` lines, not {root.kind}")
    return root


def parse_value(text: str, position: SourcePosition) -> Node:
    """Parse one value of any kind, all of it at `position`. Empty text is null."""
    refuse_forbidden(text, lambda _: position)
    return _tree(text, lambda _: position) or Node(None, position, position)


class _Loader(_SafeLoader):
    """A loader that composes nodes with the tags of the core schema instead of those of YAML 1.1."""

    yaml_implicit_resolvers = RESOLVERS


def _tree(text: str, locate: _Locate) -> Node | None:
    """Parse the text; return None if it has no document."""
    try:
        _check_size(text, locate)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_syntax_message(error, text, locate)) from None
    return None if root is None else _Builder(locate).build(root, None, ())


def _check_size(text: str, locate: _Locate) -> None:
    """Refuse deeply nested or very long text by its flat stream of events, before any recursion."""
    depth = count = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        count += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH or count > MAX_VALUES:
            why = TOO_DEEP if depth > MAX_DEPTH else f"more than {MAX_VALUES:,} values, which no config needs"
            raise ConfigError(f"{locate(event.start_mark)}: {why}")


@dataclass
class _Builder:
    """Turns PyYAML's nodes into ours, with aliases expanded, and counts them."""

    locate: _Locate
    count: int = 0

    def build(self, node: yaml.Node, key: SourcePosition | None, above: tuple[yaml.Node, ...]) -> Node:
        """Return our node for `node`, whose key is at `key`; `above` holds the nodes that contain it."""
        here = self.locate(node.start_mark)
        self._check(node, here, above)
        place = key or here
        if isinstance(node, yaml.MappingNode):
            return Node(self._map(node, (*above, node)), place, place)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.build(item, None, (*above, node)) for item in node.value], place, place)
        return Node(scalar(node.tag, node.value, here), here, place)

    def _map(self, node: yaml.MappingNode, above: tuple[yaml.Node, ...]) -> dict[str, Node]:
        values: dict[str, Node] = {}
        for key_node, value_node in node.value:
            position = self.locate(key_node.start_mark)
            key = _key(key_node, position)
            if key in values:
                raise ConfigError(
                    f"{position}: there is a key '{printable(key, 40)}' already, at {values[key].key}"
                )
            values[key] = self.build(value_node, position, above)
        return values

    def _check(self, node: yaml.Node, here: SourcePosition, above: tuple[yaml.Node, ...]) -> None:
        self.count += 1
        if any(node is outer for outer in above):
            raise ConfigError(f"{here}: this value contains an alias of itself")
        if len(above) > MAX_DEPTH:
            raise ConfigError(f"{here}: aliases nest this more than {MAX_DEPTH} deep")
        if self.count > MAX_VALUES:
            raise ConfigError(f"{here}: aliases repeat this until there are more than {MAX_VALUES:,} values")
        if isinstance(node, yaml.CollectionNode) and node.tag not in (PREFIX + "map", PREFIX + "seq"):
            raise ConfigError(
                f"{here}: the tag '{printable(node.tag, 60)}' is not supported: write the value without it"
            )


def _key(node: yaml.Node, position: SourcePosition) -> str:
    """Return the text of a key as it was written: `1`, `on` and `null` are the keys '1', 'on' and 'null'."""
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError(f"{position}: a key must be text, not a list or a map")
    if node.value == "<<":
        raise ConfigError(
            f"{position}: merge keys (<<) are not supported: use `base: other`, or write the keys again"
        )
    refuse_forbidden(node.value, lambda _: position)
    return str(node.value)


def _syntax_message(error: yaml.MarkedYAMLError, text: str, locate: _Locate) -> str:
    """Return the parser's message with its position, in words that say what to fix."""
    problem = error.problem or "?"
    at = error.problem_mark
    if any(words in problem for words in _OPENED_BEFORE):
        at = error.context_mark or at
    character = text[at.index : at.index + 1] if at else ""
    return f"{locate(at)}: {_plain_words(problem, character)}"


def _plain_words(problem: str, character: str) -> str:
    if character == "\t" and ("start any token" in problem or "tab character" in problem):
        return "YAML indents with spaces, not tabs"
    if "start any token" in problem:
        return f"text that begins with {character} needs quotes"
    plain = (words for key, words in _PLAIN_ENGLISH.items() if key in problem)
    return next(plain, f"not valid YAML: {problem}")


def _too_long(source: str) -> str:
    return f"{source}: longer than {MAX_BYTES // 1024} KiB, which no config needs"


def _position_after(before: str, source: str) -> SourcePosition:
    """Return the position that follows the text `before`."""
    lines = _LINE_BREAK.split(before.removeprefix("\ufeff"))
    return SourcePosition(source, len(lines), len(lines[-1]) + 1)
