"""`model.blocks`: every use of a block is replaced by its layers, so that later steps only see layers.

This happens in the tree with positions: an error points at its line, in the block or where it is used.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cnn_cli.config.document import MAX_DEPTH, MAX_VALUES
from cnn_cli.config.network import NAME, Item
from cnn_cli.config.suggestions import list_of, unknown_name
from cnn_cli.config.tree import Node, SourcePosition
from cnn_cli.errors import ConfigError
from cnn_cli.text import close_matches, did_you_mean, suggestion

_LAYERS = tuple(Item.model_fields)


@dataclass(frozen=True)
class _Definition:
    """A block: its parameters with their defaults (None if there is none), and its layers."""

    parameters: dict[str, Node | None]
    layers: Node


def expand(tree: Node) -> Node:
    """Return the config without `model.blocks`, with every use as `block: {name: ..., layers: [...]}`.

    Raises:
        ConfigError: a definition or a use is wrong, blocks use each other in a circle, or the result is
            larger than a config may be.
    """
    model = tree.child("model")
    if not (isinstance(tree.value, dict) and model and isinstance(model.value, dict)):
        return tree  # the schema reports it
    blocks = model.child("blocks")
    if blocks is None:
        return tree
    expander = _Expander(_definitions(blocks))
    rest = {key: node for key, node in model.value.items() if key != "blocks"}
    if "layers" in rest:
        rest["layers"] = expander.expand(rest["layers"], None)
    return Node({**tree.value, "model": Node(rest, model.position, model.key)}, tree.position, tree.key)


def _definitions(blocks: Node) -> dict[str, _Definition]:
    if not isinstance(blocks.value, dict):
        raise ConfigError(f"{blocks.position.of('model.blocks')}: must be a map of names, not {blocks.kind}")
    return {name: _definition(name, node) for name, node in blocks.value.items()}


def _definition(name: str, node: Node) -> _Definition:
    where = f"model.blocks.{name}"
    _check_name(name, node, where)
    if isinstance(node.value, list):
        return _Definition({}, _layers(node, where))
    if not isinstance(node.value, dict):
        raise ConfigError(f"{node.position.of(where)}: must be a list of layers, or a map with `layers`")
    known = ("parameters", "layers")
    for key, child in node.value.items():
        if key not in known:
            raise ConfigError(f"{child.key.of(where)}: {unknown_name(key, known)}")
    if "layers" not in node.value:
        raise ConfigError(f"{node.position.of(f'{where}.layers')}: is missing, and it has no default")
    parameters = node.value.get("parameters")
    return _Definition(
        _parameters(parameters, f"{where}.parameters") if parameters else {},
        _layers(node.value["layers"], f"{where}.layers"),
    )


def _check_name(name: str, node: Node, where: str) -> None:
    if name in _LAYERS:
        raise ConfigError(f"{node.key.of(where)}: a layer has this name already; choose another")
    if not re.match(NAME, name):
        raise ConfigError(
            f"{node.key.of(where)}: a block's name has letters, digits and _, and begins with a letter"
        )


def _layers(layers: Node, where: str) -> Node:
    """Return the node, which must be a list of at least one layer."""
    if not isinstance(layers.value, list) or not layers.value:
        raise ConfigError(f"{layers.position.of(where)}: must be a list of at least 1 layer")
    return layers


def _parameters(node: Node, where: str) -> dict[str, Node | None]:
    if not isinstance(node.value, list):
        raise ConfigError(f"{node.position.of(where)}: must be a list of names, not {node.kind}")
    parameters: dict[str, Node | None] = {}
    for item in node.value:
        name, default = _name_and_value(item)
        if name is None:
            raise ConfigError(
                f"{item.position.of(where)}: must be a name, or `name: default`, not {item.kind}"
            )
        if name in parameters:
            raise ConfigError(f"{item.position.of(where)}: there are two parameters {name!r}")
        parameters[name] = default
    return parameters


def _name_and_value(item: Node) -> tuple[str | None, Node | None]:
    """Return the name and the value of an item: `name`, or `name: value`."""
    if isinstance(item.value, str):
        return item.value, None
    if isinstance(item.value, dict) and len(item.value) == 1:
        return next(iter(item.value.items()))
    return None, None


@dataclass(frozen=True)
class _Scope:
    """The block whose layers are being expanded, and the values of its parameters."""

    block: str
    values: Mapping[str, Node]
    above: tuple[str, ...]
    """The blocks that contain each other down to this one, which is the last."""


class _Expander:
    """Expands uses of blocks, and counts the values: blocks within blocks grow exponentially."""

    def __init__(self, definitions: dict[str, _Definition]) -> None:
        self.definitions = definitions
        self.count = 0

    def expand(self, node: Node, scope: _Scope | None, depth: int = 0) -> Node:
        """Return the node without uses of blocks and, in a block, with values in place of `$name`."""
        self._count(node, depth)
        if isinstance(node.value, list):
            items = [
                self._use(item, scope, depth) or self.expand(item, scope, depth + 1) for item in node.value
            ]
            return Node(items, node.position, node.key)
        if isinstance(node.value, dict):
            values = {key: self.expand(child, scope, depth + 1) for key, child in node.value.items()}
            return Node(values, node.position, node.key)
        if scope and isinstance(node.value, str) and node.value.startswith("$"):
            return self._argument(node, node.value[1:], scope, depth)
        return node

    def _argument(self, node: Node, name: str, scope: _Scope, depth: int) -> Node:
        if name not in scope.values:
            raise ConfigError(f"{node.position}: {_no_parameter(scope.block, name, list(scope.values))}")
        return self.expand(scope.values[name], None, depth)  # expanded already: this counts it once more

    def _use(self, item: Node, scope: _Scope | None, depth: int) -> Node | None:
        """Return what replaces the use of a block, or None if the item is no block."""
        name, arguments = _name_and_value(item)
        if name is None:
            return None
        place = arguments.key if arguments else item.position
        if name not in self.definitions:
            self._refuse_misspelled(name, place)
            return None
        above = scope.above if scope else ()
        if name in above:
            circle = " -> ".join((*above[above.index(name) :], name))
            raise ConfigError(f"{place}: the blocks use each other in a circle: {circle}")
        given = self.expand(arguments, scope, depth) if arguments else Node(None, place, place)
        definition = self.definitions[name]
        values = _bind(name, definition.parameters, given, place)
        layers = self.expand(definition.layers, _Scope(name, values, (*above, name)), depth + 3)
        # The name gets the place of the use, so that messages about the layers can name it too.
        inside = Node({"name": Node(name, place, place), "layers": layers}, place, place)
        return Node({"block": inside}, item.position, item.key)

    def _refuse_misspelled(self, name: str, place: SourcePosition) -> None:
        """Refuse a name that is almost a block's. The schema refuses those that are almost a layer's."""
        if name in _LAYERS or name.startswith("$"):  # common, and quick to tell
            return
        near = close_matches(name, [*_LAYERS, *self.definitions])
        if near and near[0] in self.definitions:
            raise ConfigError(f"{place}: there is no layer or block {name!r}{suggestion(near)}")

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
    """Return the values of a block's parameters: those given over the defaults."""
    values = {name: default for name, default in parameters.items() if default is not None}
    values |= _arguments(block, parameters, given)
    missing = [name for name in parameters if name not in values]
    if missing:
        raise ConfigError(f"{place}: block {block!r} needs a value for {', '.join(map(repr, missing))}")
    return values


def _arguments(block: str, parameters: Mapping[str, Node | None], given: Node) -> dict[str, Node]:
    if given.value is None:
        return {}
    if not isinstance(given.value, dict):  # the only one without a default may stand alone: `linear: 120`
        needed = [name for name, default in parameters.items() if default is None] or list(parameters)
        if len(needed) != 1:
            takes = f"a map of {', '.join(parameters)}" if parameters else "no value"
            raise ConfigError(f"{given.position}: block {block!r} takes {takes}")
        return {needed[0]: given}
    for name, node in given.value.items():
        if name not in parameters:
            raise ConfigError(f"{node.key}: {_no_parameter(block, name, list(parameters))}")
    return dict(given.value)


def _no_parameter(block: str, name: str, known: list[str]) -> str:
    more = did_you_mean(name, known) or list_of(known, "parameters")
    return f"block {block!r} has no parameter {name!r}{more}"
