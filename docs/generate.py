"""Writes the command reference and the tree of files into the docs. `--check` only compares."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic import BaseModel
from tree import tree

from cnn_cli.cli.app import app
from cnn_cli.config.network import vocabulary
from cnn_cli.config.schema import Config

REFERENCE = Path(__file__).with_name("reference.md")
ARCHITECTURE = Path(__file__).with_name("architecture.md")
START, END = "<!-- tree: written by docs/generate.py -->", "<!-- end of tree -->"


def reference() -> str:
    """Return the page of all commands, settings and layers."""
    parts = [
        "# Command reference",
        "Every command, setting and layer. `cnn COMMAND --help` and `cnn layers NAME` have the same text.",
        "## Commands",
        *_commands(),
    ]
    parts += ["## Settings", "What a YAML sets, and `key=value` on the command line.", *_settings("", Config)]
    parts += ["## Layers", "The items of `model.layers`; `cnn layers` lists them too.", *_layers()]
    return "\n\n".join(parts) + "\n"


def _commands() -> Iterator[str]:
    """Yield every command with its options, from typer's objects: its own layout varies by version."""
    for name, command in _walk("cnn", typer.main.get_command(app)):
        yield f"### {name}"
        yield inspect.cleandoc(command.help or "").replace("\n\n", "\n").replace("\n", " ")
        rows = [f"| `{_names(param)}` | {_one_line(param.help)} |" for param in command.params if param.help]
        if rows:
            yield "\n".join(["| argument or option | meaning |", "|---|---|", *rows])


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
    for word, child in (inner or {}).items():
        yield from _walk(f"{name} {word}", child)


def _names(param: Any) -> str:
    if param.param_type_name == "argument":
        return str(param.metavar or param.name).replace("|", " or ")
    return ", ".join(param.opts)


def _settings(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    rows, sections = [], []
    for name, field in model.model_fields.items():
        inner = _model(field.annotation)
        if inner is not None:
            sections.append((f"{prefix}{name}.", inner))
            continue
        if get_origin(field.annotation) is dict:
            inner = _model(get_args(field.annotation)[1])
        if inner is not None:
            sections.append((f"{prefix}{name}.NAME.", inner))
        if field.description:
            default = "" if field.is_required() else f"`{_plain(field.default)}`"
            rows.append(f"| `{prefix}{name}` | {default} | {_one_line(field.description)} |")
    if rows:
        yield "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])
    for inner_prefix, inner in sections:
        yield f"### {inner_prefix.rstrip('.')}"
        yield _one_line(inner.__doc__)
        yield from _settings(inner_prefix, inner)


def _layers() -> Iterator[str]:
    for name, layer in vocabulary().items():
        yield f"### {name}"
        yield inspect.cleandoc(layer.__doc__ or "")
        yield f"Shape: {layer.shape}."
        yield from _settings("", layer)


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the pydantic model that an annotation is; layers in lists have a chapter of their own."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _plain(value: Any) -> str:
    if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]:
        return str(value[0])
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def architecture(page: str) -> str:
    """Return the page with the tree of files as it is on the disk."""
    before, rest = page.split(START)
    return f"{before}{START}\n\n```text\n{tree()}\n```\n\n{END}{rest.split(END)[1]}"


def main(check: bool = False) -> None:
    """Write the generated parts of the docs; with --check, fail if one would change."""
    for path, text in (
        (REFERENCE, reference()),
        (ARCHITECTURE, architecture(ARCHITECTURE.read_text())),
    ):
        if not check:
            path.write_text(text)
        elif path.read_text() != text:
            sys.exit(f"docs/{path.name} is stale: run python docs/generate.py")


if __name__ == "__main__":
    typer.run(main)
