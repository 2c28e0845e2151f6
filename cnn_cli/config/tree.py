"""The values of a config as a tree, each with the position where it was written."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from cnn_cli.text import printable

KeyPath: TypeAlias = tuple[str | int, ...]
Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class SourcePosition:
    """The place that a message points at: `file:line:column`, or a source without lines (an argument)."""

    source: str
    line: int = 0  # from 1; 0 where the source has no lines
    column: int = 0  # from 1
    argument: str = ""  # `key=value`, if that is the source

    def __str__(self) -> str:  # noqa: D105 - the class documents it
        source = printable(self.source)
        return f"{source}:{self.line}:{self.column}" if self.line else source

    def of(self, key: str) -> str:
        """Return the place and the key there, `my.yaml:14:7 train.lr`.

        An argument such as `train.lr=x` begins with its key, which is not repeated.
        """
        return str(self) if self.argument.startswith(key) else f"{self} {key}"


@dataclass(frozen=True)
class Node:
    """A value with its position. A tree never changes: merging and overriding build new ones.

    `position` is the place of a scalar; for a map or a list it is the place of its key, where people look.
    `key` is the place of the key; a list item has none, so it is the start of the item.
    """

    value: "Scalar | dict[str, Node] | list[Node]"
    position: SourcePosition
    key: SourcePosition

    def plain(self) -> Any:
        """Return the same values as dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    @property
    def depth(self) -> int:
        """Levels of maps and lists; 0 for a scalar."""
        if not isinstance(self.value, dict | list):
            return 0
        children = self.value.values() if isinstance(self.value, dict) else self.value
        return 1 + max((child.depth for child in children), default=0)

    def child(self, part: str | int) -> "Node | None":
        """Return the value under a key or at an index, or None if there is none."""
        if isinstance(self.value, dict) and isinstance(part, str):
            return self.value.get(part)
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]
        return None

    def nearest(self, path: KeyPath) -> "tuple[Node, int]":
        """Return the node at the longest prefix of `path` that was written, and the length of that prefix.

        A list may stand for a map, `parallel: [...]` for `parallel: {branches: [...]}`: a key that leads into
        a list is skipped.
        """
        node = self
        for length, part in enumerate(path):
            if isinstance(node.value, list) and isinstance(part, str) and length + 1 < len(path):
                continue
            child = node.child(part)
            if child is None:
                return node, length
            node = child
        return node, len(path)

    def written(self, path: KeyPath) -> KeyPath:
        """Return the path as it was written: without keys that a list replaces, with the names of blocks."""
        visible: list[str | int] = []
        node: Node | None = self
        for part, after in zip(path, (*path[1:], None), strict=True):
            if node and isinstance(node.value, list) and isinstance(part, str) and isinstance(after, int):
                continue
            node = node.child(part) if node else None
            name = node.child("name") if node and part == "block" else None
            visible.append(name.value if name and isinstance(name.value, str) else part)
        return tuple(visible)

    def uses(self, path: KeyPath) -> "list[tuple[str, SourcePosition]]":
        """Return the name and position of each use of a block on the way to `path`, the outermost first.

        `cnn_cli.config.blocks` gives the name of a block the position of its use.
        """
        uses = []
        for length, part in enumerate(path, 1):
            node, reached = self.nearest(path[:length])
            name = node.child("name") if part == "block" and reached == length else None
            if name and isinstance(name.value, str) and name.position == node.position:
                uses.append((name.value, name.position))
        return uses

    @property
    def kind(self) -> str:
        """The kind of the value, for messages."""
        if isinstance(self.value, dict | list):
            return "a map" if isinstance(self.value, dict) else "a list"
        return "text" if isinstance(self.value, str) else "a single value"


def merge(base: Node, top: Node) -> Node:
    """Merge `top` over `base`: maps merge key by key, everything else of `top` replaces that of `base`."""
    if not (isinstance(base.value, dict) and isinstance(top.value, dict)):
        return top
    merged = dict(base.value)
    for key, node in top.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, top.position, top.key)
