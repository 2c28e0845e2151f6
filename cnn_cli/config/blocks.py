"""`model.blocks`: what a block stands for is written out, so that everything after sees layers alone.

This happens on the positioned tree: a wrong value points at its line, in the block or in the use of it.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cnn_cli.config.document import MAX_DEPTH, MAX_VALUES
from cnn_cli.config.network import NAME, Item
from cnn_cli.config.tree import Node, SourcePosition
from cnn_cli.errors import ConfigError

_LAYERS = tuple(Item.model_fields)


@dataclass(frozen=True)
class _Definition:
    """A block: its parameters with their defaults (None: it has none), and its layers."""

    parameters: dict[str, Node | None]
    layers: Node


def expand(tree: Node) -> Node:
    """The config without `model.blocks`, each use of one as `block: {name: ..., layers: [...]}`.

    Raises:
        ConfigError: a definition or a use cannot be read, blocks use each other in a circle, or there would
            be more than a config may hold.
    """
    model = tree.child("model")
    if not (isinstance(tree.value, dict) and model and isinstance(model.value, dict)):
        return tree  # the schema says what is wrong
    blocks = model.child("blocks")
    if blocks is None:
        return tree
    writer = _Writer(_definitions(blocks))
    rest = {key: node for key, node in model.value.items() if key != "blocks"}
    if "layers" in rest:
        rest["layers"] = writer.write(rest["layers"], None)
    return Node({**tree.value, "model": Node(rest, model.position, model.key)}, tree.position, tree.key)


def _definitions(blocks: Node) -> dict[str, _Definition]:
    if not isinstance(blocks.value, dict):
        raise ConfigError(f"{blocks.position} model.blocks: must be a map of names, not {blocks.kind}")
    return {name: _definition(name, node) for name, node in blocks.value.items()}


def _definition(name: str, node: Node) -> _Definition:
    where = f"model.blocks.{name}"
    if name in _LAYERS:
        raise ConfigError(f"{node.key} {where}: there is a layer of this name already: choose another")
    if not re.match(NAME, name):
        raise ConfigError(f"{node.key} {where}: the name of a block is letters, digits and _, a letter first")
    if isinstance(node.value, list):
        return _Definition({}, _filled(node, where))
    if not isinstance(node.value, dict):
        raise ConfigError(f"{node.position} {where}: must be a list of layers, or a map with `layers`")
    for key, child in node.value.items():
        if key not in ("parameters", "layers"):
            raise ConfigError(f"{child.key} {where}.{key}: unknown key; known are parameters, layers")
    if "layers" not in node.value:
        raise ConfigError(f"{node.position} {where}.layers: is missing, and it has no default")
    parameters = node.value.get("parameters")
    return _Definition(
        _parameters(parameters, f"{where}.parameters") if parameters else {},
        _filled(node.value["layers"], f"{where}.layers"),
    )


def _filled(layers: Node, where: str) -> Node:
    if not isinstance(layers.value, list) or not layers.value:
        raise ConfigError(f"{layers.position} {where}: must be a list of at least 1 layer")
    return layers


def _parameters(node: Node, where: str) -> dict[str, Node | None]:
    if not isinstance(node.value, list):
        raise ConfigError(f"{node.position} {where}: must be a list of names, not {node.kind}")
    parameters: dict[str, Node | None] = {}
    for item in node.value:
        name, default = _name_and_value(item)
        if name is None:
            raise ConfigError(f"{item.position} {where}: must be a name, or `name: default`, not {item.kind}")
        if name in parameters:
            raise ConfigError(f"{item.position} {where}: {name!r} is named twice")
        parameters[name] = default
    return parameters


def _name_and_value(item: Node) -> tuple[str | None, Node | None]:
    """The name and the value of an item: `name`, or `name: value`."""
    if isinstance(item.value, str):
        return item.value, None
    if isinstance(item.value, dict) and len(item.value) == 1:
        return next(iter(item.value.items()))
    return None, None


@dataclass(frozen=True)
class _Scope:
    """The block whose layers are being written, and the values of its parameters."""

    block: str
    values: Mapping[str, Node]
    above: tuple[str, ...]
    """The blocks that lead here, this one last."""


class _Writer:
    """Writes layers out, and counts: blocks in blocks double quickly."""

    def __init__(self, definitions: dict[str, _Definition]) -> None:
        self.definitions = definitions
        self.count = 0

    def write(self, node: Node, scope: _Scope | None, depth: int = 0) -> Node:
        """The node without uses of blocks and, in a block, with values in place of `$name`."""
        self._count(node, depth)
        if isinstance(node.value, list):
            items = [
                self._use(item, scope, depth) or self.write(item, scope, depth + 1) for item in node.value
            ]
            return Node(items, node.position, node.key)
        if isinstance(node.value, dict):
            values = {key: self.write(child, scope, depth + 1) for key, child in node.value.items()}
            return Node(values, node.position, node.key)
        if scope and isinstance(node.value, str) and node.value.startswith("$"):
            return self._argument(node, node.value[1:], scope, depth)
        return node

    def _argument(self, node: Node, name: str, scope: _Scope, depth: int) -> Node:
        if name not in scope.values:
            raise ConfigError(f"{node.position}: {_no_parameter(scope.block, name, scope.values)}")
        return self.write(scope.values[name], None, depth)  # written already: this counts it once more

    def _use(self, item: Node, scope: _Scope | None, depth: int) -> Node | None:
        """What stands in place of a block's use; None where the item is no block."""
        name, arguments = _name_and_value(item)
        if name is None:
            return None
        place = arguments.key if arguments else item.position
        if name not in self.definitions:
            self._suggest(name, place)
            return None
        above = scope.above if scope else ()
        if name in above:
            circle = " -> ".join((*above[above.index(name) :], name))
            raise ConfigError(f"{place}: the blocks use each other in a circle: {circle}")
        given = self.write(arguments, scope, depth) if arguments else Node(None, place, place)
        definition = self.definitions[name]
        values = _bind(name, definition.parameters, given, place)
        layers = self.write(definition.layers, _Scope(name, values, (*above, name)), depth + 3)
        # The name stands where the block is used: messages about its layers tell that place too.
        inside = Node({"name": Node(name, place, place), "layers": layers}, place, place)
        return Node({"block": inside}, item.position, item.key)

    def _suggest(self, name: str, place: SourcePosition) -> None:
        """Stop at a name that is almost a block's; of those that are almost a layer's the schema speaks."""
        near = difflib.get_close_matches(name, [*_LAYERS, *self.definitions], n=1)
        if name not in _LAYERS and near and near[0] in self.definitions and not name.startswith("$"):
            raise ConfigError(f"{place}: there is no layer or block {name!r} (did you mean {near[0]!r}?)")

    def _count(self, node: Node, depth: int) -> None:
        self.count += 1
        if depth > MAX_DEPTH:
            raise ConfigError(f"{node.position}: blocks nest this more than {MAX_DEPTH} levels deep")
        if self.count > MAX_VALUES:
            raise ConfigError(
                f"{node.position}: blocks repeat this until there are more than {MAX_VALUES:,} values"
            )


def _bind(
    block: str, parameters: Mapping[str, Node | None], given: Node, place: SourcePosition
) -> dict[str, Node]:
    """The values of a block's parameters: those given over the defaults."""
    values = {name: default for name, default in parameters.items() if default is not None}
    values |= _arguments(block, parameters, given)
    missing = [name for name in parameters if name not in values]
    if missing:
        raise ConfigError(f"{place}: block {block!r} needs a value for {', '.join(map(repr, missing))}")
    return values


def _arguments(block: str, parameters: Mapping[str, Node | None], given: Node) -> dict[str, Node]:
    if given.value is None:
        return {}
    if not isinstance(given.value, dict):  # the one that must be given may stand alone, as in `linear: 120`
        needed = [name for name, default in parameters.items() if default is None] or list(parameters)
        if len(needed) != 1:
            takes = f"a map of {', '.join(parameters)}" if parameters else "no value"
            raise ConfigError(f"{given.position}: block {block!r} takes {takes}")
        return {needed[0]: given}
    for name, node in given.value.items():
        if name not in parameters:
            raise ConfigError(f"{node.key}: {_no_parameter(block, name, parameters)}")
    return dict(given.value)


def _no_parameter(block: str, name: str, parameters: Iterable[str]) -> str:
    known = list(parameters)
    near = difflib.get_close_matches(name, known, n=1)
    more = f" (did you mean {near[0]!r}?)" if near else f"; it has {', '.join(known) or 'none'}"
    return f"block {block!r} has no parameter {name!r}{more}"
