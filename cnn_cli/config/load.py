"""A name and `key=value` arguments -> a checked Config that knows where each setting was written."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from cnn_cli.config import document, overrides
from cnn_cli.config.blocks import expand
from cnn_cli.config.catalog import find
from cnn_cli.config.problems import problem, problems
from cnn_cli.config.schema import Config
from cnn_cli.config.tree import KeyPath, Node, merge
from cnn_cli.errors import ConfigError

MAX_BASES = 10

SchemaT = TypeVar("SchemaT", bound=BaseModel)


@dataclass(frozen=True)
class Loaded(Generic[SchemaT]):
    """A config with the places of its settings."""

    config: SchemaT
    tree: Node
    origin: Path

    def locate(self, path: KeyPath) -> str:
        """The place of the nearest thing that was written on the way to `path`, such as `my.yaml:14:7`."""
        return str(self.tree.nearest(path)[0].position)

    def problem(self, path: KeyPath, text: str) -> str:
        """The line that says what is wrong at `path`: place, path and text."""
        return problem(self.tree, path, text)


LoadedConfig: TypeAlias = Loaded[Config]


def load_config(name: str, arguments: Sequence[str] = ()) -> LoadedConfig:
    """Find, read, merge, override and check a config; its `name` is its file's where it says none."""
    path = find(name)
    tree = read(path)
    default = Node({"name": Node(_run_name(path), tree.position, tree.key)}, tree.position, tree.key)
    tree = expand(overrides.apply(merge(default, tree), arguments))
    return Loaded(validate(tree, Config), tree, path)


def load_text(text: str, source: str) -> LoadedConfig:
    """Check a config that is no file, such as the one in a checkpoint; it stands alone, without `base:`."""
    tree = expand(document.parse(text, source))
    return Loaded(validate(tree, Config), tree, Path(source))


def read(path: Path, above: tuple[Path, ...] = ()) -> Node:
    """The values of a YAML over those of the one that its `base:` names; `above` are the files built on it.

    The base's `name` is not taken over: it names that config, and its runs.
    """
    tree = document.read(path)
    base = tree.child("base")
    if base is None:
        return tree
    chain = (*above, path)
    below = read(_base_path(base, path, chain), chain)
    return merge(_without(below, "name"), _without(tree, "base"))


def validate(tree: Node, schema: type[SchemaT]) -> SchemaT:
    """Check the tree against the schema; a ConfigError has one line for each thing that is wrong.

    The values go through JSON, where pydantic's strict mode still takes a list for a tuple, but neither the
    text '3' nor `true` for a number.
    """
    try:
        return schema.model_validate_json(json.dumps(tree.plain()), strict=True)
    except ValidationError as error:
        lines = problems(error, tree, schema)
    raise ConfigError("\n".join(lines))


def _without(tree: Node, key: str) -> Node:
    assert isinstance(tree.value, dict)  # document.read refuses everything else
    return Node({name: node for name, node in tree.value.items() if name != key}, tree.position, tree.key)


def _run_name(path: Path) -> str:
    """The name of a run from its config's file: what every system takes as a folder's name."""
    return (
        re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).lstrip("._-")[:100] or Config.model_fields["name"].default
    )


def _base_path(base: Node, path: Path, chain: tuple[Path, ...]) -> Path:
    if not isinstance(base.value, str):
        raise ConfigError(f"{base.position} base: must be the name of a config, not {base.kind}")
    try:
        found = find(base.value, beside=path.parent)
    except ConfigError as error:
        raise ConfigError(f"{base.position} base: {error.message}", hint=error.hint) from None
    names = " -> ".join(map(str, (*chain, found)))
    if any(found.resolve() == other.resolve() for other in chain):
        raise ConfigError(f"{base.position} base: the configs build on each other in a circle: {names}")
    if len(chain) > MAX_BASES:
        raise ConfigError(f"{base.position} base: more than {MAX_BASES} configs build on each other: {names}")
    return found
