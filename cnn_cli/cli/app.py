"""The commands, and what happens to an error: one clear message on stderr and a documented exit code.

A command imports what it needs when it runs, so that `cnn --help` imports neither torch nor pydantic.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

import cnn_cli
from cnn_cli.cli import config, data, evaluate, layers, predict, summary, train
from cnn_cli.errors import CnnError, ConfigError, ExitCode

# typer >= 0.26 carries its own copy of click, so its errors are found through typer.
ClickException: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

app = typer.Typer(
    name="cnn",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("summary")(summary.summary)
app.command("layers")(layers.layers)
app.add_typer(config.app, name="config")
app.add_typer(data.app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cnn {cnn_cli.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train, evaluate and use convolutional networks that are described in YAML.

    Start with `cnn train --config lenet.yaml`, or read a picture at once with `cnn predict picture.png`.

    Exit codes: 0 done, 1 failure, 2 usage or config, 3 input data, 4 accuracy below the bar,
    130 interrupted (Ctrl-C), 143 terminated.
    """
    if debug:
        logging.getLogger("cnn_cli").setLevel(logging.DEBUG)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    from cnn_cli import console

    console.show_warnings()
    if "--debug" in arguments:
        return int(app(arguments, standalone_mode=False) or ExitCode.OK)
    return _guarded(lambda: app(arguments, standalone_mode=False), arguments)


def _guarded(command: Callable[[], Any], arguments: Sequence[str]) -> int:
    """The exit code of a command, with its error shown if it has one."""
    from cnn_cli import console

    try:
        return int(command() or ExitCode.OK)
    except CnnError as error:
        console.error(error)
        return error.code
    except ClickException as error:
        console.error(ConfigError(error.format_message(), hint=_usage_hint(error, arguments)))
        return ExitCode.USAGE
    except typer.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        console.message("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our stdout has left, as `cnn ... | head` does: that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        console.error(
            CnnError(
                f"{type(error).__name__}: {error}",
                hint="this is a fault of cnn; the traceback is shown by: cnn --debug " + " ".join(arguments),
            )
        )
        return ExitCode.FAILURE


def _usage_hint(error: Any, arguments: Sequence[str]) -> str:
    """Help for a command line that cannot be read; settings are no options, but look like them to many."""
    name = str(getattr(error, "option_name", "")).lstrip("-").replace("-", "_")
    if name and arguments[:1] == ["train"]:
        from cnn_cli.config.schema import settings_named

        settings = settings_named(name)
        if settings:
            return f"settings are written key=value: {settings[0]}=..."
    command = " ".join(argument for argument in arguments[:1] if not argument.startswith("-"))
    return f"see: {' '.join(('cnn', command)).strip()} --help"
