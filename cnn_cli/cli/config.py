"""`cnn config list | show | copy | check | schema`."""

from pathlib import Path
from typing import Annotated

import typer

from cnn_cli.cli.options import ConfigName, Json, Overrides, build_network_of

app = typer.Typer(help="List, show, copy and check configs.")


@app.command("list")
def list_configs(as_json: Json = False) -> None:
    """List the configs that a name finds: those in ./configs and those that ship."""
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
            console.line(f"{entry.name:<{width}}  {entry.title}  ({entry.origin})")


@app.command()
def show(config: ConfigName, overrides: Overrides = None) -> None:
    """Print the resolved config: base and settings applied, every default written out."""
    from cnn_cli import console
    from cnn_cli.config.dump import dump
    from cnn_cli.config.load import load_config

    console.line(dump(load_config(config, overrides or []).config).rstrip("\n"))


@app.command()
def copy(
    config: ConfigName,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; it must not exist.")],
) -> None:
    """Copy a config, comments and all, to a file of your own."""
    from cnn_cli import console
    from cnn_cli.config.catalog import copy as copy_config

    written = copy_config(config, target)
    console.line(str(written))
    console.message(f"next: change it, then cnn config check {written} and cnn train --config {written}")


@app.command()
def check(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG", help="YAML files or names of configs.")],
) -> None:
    """Check configs completely: keys, values, and that the network's layers fit together."""
    from cnn_cli import console
    from cnn_cli.config.load import load_config
    from cnn_cli.errors import ConfigError, ExitCode

    failed = False
    for name in configs:
        try:
            loaded = load_config(name)
            build_network_of(loaded, of_data=False)
        except ConfigError as error:
            failed = True
            console.error(error)
        else:
            console.line(f"{loaded.origin}: ok")
    if failed:
        raise typer.Exit(ExitCode.USAGE)


@app.command()
def schema() -> None:
    """Print the JSON schema of a config, for editors that complete and check YAML."""
    from cnn_cli import console
    from cnn_cli.config.dump import schema_json

    console.line(schema_json().rstrip("\n"))
