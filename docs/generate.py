"""Writes docs/reference.md from the program itself: commands, settings, layers. `--check` only compares."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic import BaseModel

from cnn_cli.cli.app import app
from cnn_cli.config.network import vocabulary
from cnn_cli.config.schema import Config

REFERENCE = Path(__file__).with_name("reference.md")


def reference() -> str:
    """The whole document."""
    parts = [
        "# Reference",
        "Written by `docs/generate.py` from the program itself.",
        "## Commands",
        *_commands(),
    ]
    parts += ["## Settings", "What a YAML sets, and `key=value` on the command line.", *_settings("", Config)]
    parts += ["## Layers", "The items of `model.layers`; `cnn layers` lists them too.", *_layers()]
    return "\n\n".join(parts) + "\n"


def _commands() -> Iterator[str]:
    """Every command with its arguments and options, off typer's objects: its layout varies by version."""
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
    """The pydantic model that an annotation is; layers in lists have a chapter of their own."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _plain(value: Any) -> str:
    if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]:
        return str(value[0])
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def main(check: bool = False) -> None:
    """Write docs/reference.md; with --check, fail if it would change."""
    text = reference()
    if check:
        if REFERENCE.read_text() != text:
            sys.exit("docs/reference.md is stale: run python docs/generate.py")
    else:
        REFERENCE.write_text(text)


if __name__ == "__main__":
    typer.run(main)
