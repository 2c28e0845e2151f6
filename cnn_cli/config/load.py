"""A name and `key=value` arguments -> a checked Config, and the place where each setting was written."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from cnn_cli.config import document, overrides
from cnn_cli.config.blocks import expand
from cnn_cli.config.catalog import find
from cnn_cli.config.problems import config_error, problem
from cnn_cli.config.schema import Config
from cnn_cli.config.tree import KeyPath, Node, merge
from cnn_cli.errors import ConfigError, NetworkError

MAX_BASES = 10

SchemaT = TypeVar("SchemaT", bound=BaseModel)


@dataclass(frozen=True)
class Loaded(Generic[SchemaT]):
    """A config with the place of each of its settings."""

    config: SchemaT
    tree: Node
    origin: Path

    def locate(self, path: KeyPath) -> str:
        """Return the place of the nearest written value on the way to `path`, such as `my.yaml:14:7`."""
        return str(self.tree.nearest(path)[0].position)

    def problem(self, path: KeyPath, text: str) -> str:
        """Return the message about the value at `path`: place, path and text."""
        return problem(self.tree, path, text)


LoadedConfig: TypeAlias = Loaded[Config]


@contextmanager
def placed(loaded: LoadedConfig) -> Iterator[None]:
    """Add file, line and column to the error of a network."""
    try:
        yield
    except NetworkError as error:
        raise ConfigError(loaded.problem(error.path, error.problem)) from None


ParentOf = Callable[[Node], Node | None]
"""Returns what a config takes over from the trained network that it starts from, if it starts from one."""


def no_parent(_: Node) -> None:
    """Return that a config starts from no trained network."""


def load_config(name: str, arguments: Sequence[str] = (), parent_of: ParentOf = no_parent) -> LoadedConfig:
    """Find, read, merge, override and check a config. A config without a `name` is named after its file.

    Args:
        name: of the config or its file.
        arguments: `key=value` settings.
        parent_of: `cnn_cli.checkpoint.start.parent_of`, for code that trains what `train.start` names.

    Raises:
        ConfigError: there is no such config, or it is wrong.
    """
    path = find(name)
    tree = read(path)
    default = Node({"name": Node(_run_name(path), tree.position, tree.key)}, tree.position, tree.key)
    return complete(merge(default, tree), arguments, path, parent_of)


def complete(
    tree: Node, arguments: Sequence[str], origin: Path, parent_of: ParentOf = no_parent
) -> LoadedConfig:
    """Apply settings to a tree, put it over that of its parent, and check the result."""
    parent = parent_of(overrides.apply(tree, arguments))  # `train.start` may be among the settings
    if parent is not None:
        tree = merge(parent, tree)
    tree = expand(overrides.apply(tree, arguments))
    return Loaded(validate(tree, Config), tree, origin)


def load_text(text: str, source: str) -> LoadedConfig:
    """Check a config that is not a file, such as the one in a checkpoint; it cannot have a `base:`."""
    tree = expand(document.parse(text, source))
    return Loaded(validate(tree, Config), tree, Path(source))


def read(path: Path, above: tuple[Path, ...] = ()) -> Node:
    """Return the values of a YAML file, merged over those of its `base:`.

    The `name` of the base is left out: it names that config and its runs.

    Args:
        path: the file.
        above: the files that build on it, to detect circles.
    """
    tree = document.read(path)
    base = tree.child("base")
    if base is None:
        return tree
    chain = (*above, path)
    try:
        below = read(_base_path(base, path, chain), chain)
    except document.UnreadableError as error:
        raise ConfigError(f"{base.position.of('base')}: {error.message}") from None
    return merge(_without(below, "name"), _without(tree, "base"))


def validate(tree: Node, schema: type[SchemaT]) -> SchemaT:
    """Check the tree against the schema.

    The values pass through JSON, because pydantic's strict mode for JSON accepts a list for a tuple, but
    neither the text '3' nor `true` for a number.

    Raises:
        ConfigError: values are wrong; one line for each.
    """
    try:
        return schema.model_validate_json(json.dumps(tree.plain()), strict=True)
    except ValidationError as error:
        raise config_error(error, tree, schema) from None


def _without(tree: Node, key: str) -> Node:
    assert isinstance(tree.value, dict)  # document.read refuses everything else
    return Node({name: node for name, node in tree.value.items() if name != key}, tree.position, tree.key)


def _run_name(path: Path) -> str:
    """Return the name of a run, from its config's file: a valid folder name on every system."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).lstrip("._-")[:100]
    return name or Config.model_fields["name"].default


def _base_path(base: Node, path: Path, chain: tuple[Path, ...]) -> Path:
    if not isinstance(base.value, str):
        raise ConfigError(f"{base.position.of('base')}: must be the name of a config, not {base.kind}")
    try:
        found = find(base.value, beside=path.parent)
    except ConfigError as error:
        raise ConfigError(f"{base.position.of('base')}: {error.message}", hint=error.hint) from None
    names = " -> ".join(map(str, (*chain, found)))
    if any(found.resolve() == other.resolve() for other in chain):
        raise ConfigError(f"{base.position.of('base')}: the configs build on each other in a circle: {names}")
    if len(chain) > MAX_BASES:
        raise ConfigError(
            f"{base.position.of('base')}: more than {MAX_BASES} configs build on each other: {names}"
        )
    return found
