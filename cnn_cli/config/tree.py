"""The values of a config as a tree in which each knows where it was written."""

from dataclasses import dataclass
from typing import Any, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Mark:
    """A place that a message points at: `file:line:column`, or a source without lines (an argument)."""

    source: str
    line: int = 0  # from 1; 0 where the source has no lines
    column: int = 0  # from 1

    def __str__(self) -> str:  # noqa: D105 - the class says it
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True)
class Node:
    """A value with its place. Trees never change: merging and overriding build new ones that share parts.

    `mark` is where a scalar stands; for a map or a list it is the place of its key, where people look for it.
    `key` is where the key stands; a list item has none, so its own start.
    """

    value: "Scalar | dict[str, Node] | list[Node]"
    mark: Mark
    key: Mark

    def plain(self) -> Any:
        """The same as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def child(self, part: str | int) -> "Node | None":
        """The value under a key or at an index, or None where there is none."""
        if isinstance(self.value, dict) and isinstance(part, str):
            return self.value.get(part)
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]
        return None

    def nearest(self, path: KeyPath) -> "tuple[Node, int]":
        """The node at the longest prefix of `path` that was written, and the length of that prefix."""
        node = self
        for depth, part in enumerate(path):
            child = node.child(part)
            if child is None:
                return node, depth
            node = child
        return node, len(path)

    @property
    def kind(self) -> str:
        """What the value is, for messages."""
        if isinstance(self.value, dict | list):
            return "a map" if isinstance(self.value, dict) else "a list"
        return "text" if isinstance(self.value, str) else "a single value"


def merge(base: Node, top: Node) -> Node:
    """Lay `top` over `base`: maps merge key by key, lists and scalars of `top` replace those below."""
    if not (isinstance(base.value, dict) and isinstance(top.value, dict)):
        return top
    merged = dict(base.value)
    for key, node in top.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, top.mark, top.key)
