"""`cnn config list`, `show`, `copy`, `check` and `schema`."""

from pathlib import Path
from typing import Annotated

import typer

from cnn_cli.cli.completion import config_names
from cnn_cli.cli.help import Command, examples
from cnn_cli.cli.options import ConfigName, Json, Overrides, quoted
from cnn_cli.errors import ConfigError, ExitCode
from cnn_cli.text import printable

app = typer.Typer(
    help="List, show, copy and check configs.",
    epilog=examples("cnn config list", "cnn config copy lenet my.yaml"),
)


@app.command("list", cls=Command, epilog=examples("cnn config list"))
def list_configs(as_json: Json = False) -> None:
    """List the configs that can be named: those in ./configs and those that ship."""
    from cnn_cli import console
    from cnn_cli.config.catalog import names

    entries = names()
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        if as_json:
            fields = {
                "name": entry.name,
                "title": entry.title,
                "origin": entry.origin,
                "path": str(entry.path),
            }
            console.json_line(fields)
        else:
            console.line(f"{entry.name:<{width}}  {printable(entry.title)}  ({printable(entry.origin)})")


@app.command(cls=Command, epilog=examples("cnn config show lenet train.epochs=3"))
def show(config: ConfigName, overrides: Overrides = None, as_json: Json = False) -> None:
    """Print the resolved config: base and settings applied, all defaults written out."""
    from cnn_cli import console
    from cnn_cli.checkpoint.start import parent_of
    from cnn_cli.config.dump import dump
    from cnn_cli.config.load import load_config

    resolved = load_config(config, overrides or [], parent_of).config
    if as_json:
        console.json_line(resolved.model_dump(mode="json"))
    else:
        console.line(dump(resolved).rstrip("\n"))


@app.command(cls=Command, epilog=examples("cnn config copy lenet my.yaml"))
def copy(
    config: ConfigName,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; it must not exist.")],
) -> None:
    """Copy a config with its comments to a new file."""
    from cnn_cli import console
    from cnn_cli.config.catalog import copy as copy_config

    written = copy_config(config, target)
    console.line(str(written))
    path = quoted(written)
    console.message(f"next: edit it, then: cnn config check {path}\n      cnn train --config {path}")


@app.command(cls=Command, epilog=examples("cnn config check my.yaml configs/*.yaml"))
def check(
    configs: Annotated[
        list[str],
        typer.Argument(metavar="CONFIG", help="YAML files or names of configs.", autocompletion=config_names),
    ],
    as_json: Json = False,
) -> None:
    """Check configs: their keys, their values, and that the network's layers fit together."""
    from cnn_cli import console

    errors = {name: _error_of(name) for name in configs}
    for name, (place, error) in errors.items():
        if error is not None:
            console.error(error)
        if as_json:
            problems = error.message.splitlines() if error else []
            console.json_line({"config": name, "path": place, "ok": not error, "problems": problems})
        elif error is None:
            console.line(f"{printable(str(place))}: ok")
    if any(error for _, error in errors.values()):
        raise typer.Exit(ExitCode.USAGE)


def _error_of(name: str) -> tuple[str | None, ConfigError | None]:
    """Return the file of a config, if it can be loaded, and what is wrong with it."""
    from cnn_cli.checkpoint.start import parent_of
    from cnn_cli.config.load import load_config
    from cnn_cli.training.start import build_network_of

    path = None
    try:
        loaded = load_config(name, parent_of=parent_of)
        path = str(loaded.origin)
        build_network_of(loaded, of_data=False)
    except ConfigError as error:
        return path, error
    return path, None


@app.command(cls=Command, epilog=examples("cnn config schema > cnn.schema.json"))
def schema() -> None:
    """Print the JSON schema of a config, with which editors complete and check YAML."""
    from cnn_cli import console
    from cnn_cli.config.dump import schema_json

    console.line(schema_json().rstrip("\n"))
