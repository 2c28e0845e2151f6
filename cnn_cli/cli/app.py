"""The commands, and what happens to an error: one clear message on stderr and a documented exit code.

A command imports what it needs when it runs, so that `cnn --help` imports neither torch nor pydantic.
"""

import errno
import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import typer.main

import cnn_cli
from cnn_cli.cli import bench, config, data, evaluate, layers, predict, read, summary, train
from cnn_cli.errors import CnnError, ConfigError, ExitCode

# typer >= 0.26 carries its own copy of click, so its errors are found through typer.
ClickException: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

# Without a default, typer 0.29 asks pydantic to convert the --help that was not given: that import alone
# takes as long as the rest of `cnn config list`. The commands that are not named here import pydantic anyway.
NO_HELP_ASKED = {"help": False, "config": {"help": False, "list": {"help": False}}}

app = typer.Typer(
    name="cnn",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "default_map": NO_HELP_ASKED},
)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("read")(read.read)
app.command("bench")(bench.bench)
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

    Start with `cnn train --config lenet.yaml`, or read an image at once with `cnn predict image.png`.

    Exit codes: 0 done, 1 failure, 2 usage or config, 3 input data, 4 accuracy below the bar,
    130 interrupted (Ctrl-C), 143 terminated.
    """
    if debug:
        logging.getLogger("cnn_cli").setLevel(logging.DEBUG)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    from cnn_cli import console

    console.show_warnings()
    try:
        return _invoke(arguments) if "--debug" in arguments else _guarded(arguments)
    finally:
        _let_go_of_stdout()


def _invoke(arguments: Sequence[str]) -> int:
    """Run a command line, whatever it raises; typer's own `main` turns much of that into something else."""
    try:
        with typer.main.get_command(app).make_context("cnn", list(arguments) or ["--help"]) as context:
            context.command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    return ExitCode.OK


def _guarded(arguments: Sequence[str]) -> int:
    """The exit code of a command line, with its error shown if it has one."""
    from cnn_cli import console

    try:
        return _invoke(arguments)
    except CnnError as error:
        console.error(error)
        return error.code
    except ClickException as error:
        console.error(ConfigError(error.format_message(), hint=_usage_hint(error, arguments)))
        return ExitCode.USAGE
    except KeyboardInterrupt:
        console.message("interrupted")
        return ExitCode.INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # The reader of our stdout has left, as `cnn ... | head` does: that is no error of ours. rich turns
        # the first into the second; nothing else raises it.
        return ExitCode.OK
    except OSError as error:
        console.error(_system_error(error))
        return ExitCode.FAILURE
    except Exception as error:
        console.error(
            CnnError(
                f"{type(error).__name__}: {error}",
                hint="this is a fault of cnn; the traceback is shown by: cnn --debug " + " ".join(arguments),
            )
        )
        return ExitCode.FAILURE


def _let_go_of_stdout() -> None:
    """Write what is left; where nobody reads it, drop it, or Python would complain of it at its very end."""
    if sys.stdout is None:  # a shell closed it
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _system_error(error: OSError) -> CnnError:
    """What the system refused and no command foresaw: a full disk, a name that is too long."""
    where = f"{error.filename}: " if error.filename else ""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = "make room and try again; no file is half-written, and what was there before is whole"
    return CnnError(f"{where}{error.strerror or error}", hint=hint if is_full else None)


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
