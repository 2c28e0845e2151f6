"""The commands, and what happens to an error: one clear message on stderr and a documented exit code.

A command imports what it needs when it runs, so that `cnn --help` imports neither torch nor pydantic.
"""

import errno
import os
import shlex
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from typing import Annotated, Any

import typer
import typer.main

from cnn_cli.cli import (
    bench,
    compare,
    config,
    data,
    doctor,
    evaluate,
    export,
    layers,
    look,
    predict,
    read,
    report,
    signals,
    summary,
    train,
    version,
)
from cnn_cli.cli.help import Command, examples
from cnn_cli.cli.usage import usage_error
from cnn_cli.errors import CnnError, ConfigError, ExitCode, is_out_of_memory
from cnn_cli.files import check_working_folder
from cnn_cli.version import __version__

# typer >= 0.26 carries its own copy of click, so its errors are found through typer.
ClickException: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

# Without a default, typer 0.29 asks pydantic to convert each flag that was not given. Importing pydantic
# takes as long as the rest of `cnn config list`, and completion must be quick for every command.
_NO_HELP: dict[str, Any] = {"help": False}
DEFAULTS = {
    **dict.fromkeys(
        (
            "train",
            "eval",
            "compare",
            "report",
            "predict",
            "read",
            "look",
            "export",
            "bench",
            "summary",
            "layers",
            "doctor",
            "version",
        ),
        _NO_HELP,
    ),
    "config": _NO_HELP | dict.fromkeys(("list", "show", "copy", "check", "schema"), _NO_HELP),
    "data": _NO_HELP
    | dict.fromkeys(("get", "check", "show"), _NO_HELP)
    | {"cache": _NO_HELP | dict.fromkeys(("list", "clear"), _NO_HELP)},
    **dict.fromkeys(("help", "install_completion", "show_completion"), False),
}

OUT_OF_MEMORY = CnnError(
    "out of memory", hint="close other programs, or take a smaller network, batch or image"
)

COMPLETION = "_CNN_COMPLETE"
"""The environment variable by which a shell asks for completions."""

COMMON_OPTIONS = {
    "-q": "quiet",
    "--quiet": "quiet",
    "-v": "verbose",
    "--verbose": "verbose",
    "--debug": "debug",
}
"""Options of `cnn` itself that are also accepted after the command."""

app = typer.Typer(
    name="cnn",
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog=examples("cnn train --config lenet.yaml", "cnn predict image.png", "cnn read photo.jpg"),
    context_settings={"help_option_names": ["-h", "--help"], "default_map": DEFAULTS},
)
app.command("train", cls=Command, epilog=train.EXAMPLES)(train.train)
app.command("eval", cls=Command, epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("compare", cls=Command, epilog=compare.EXAMPLES)(compare.compare)
app.command("report", cls=Command, epilog=report.EXAMPLES)(report.report)
app.command("predict", cls=Command, epilog=predict.EXAMPLES)(predict.predict)
app.command("read", cls=Command, epilog=read.EXAMPLES)(read.read)
app.command("export", cls=Command, epilog=export.EXAMPLES)(export.export)
app.command("look", cls=Command, epilog=look.EXAMPLES)(look.look)
app.command("bench", cls=Command, epilog=bench.EXAMPLES)(bench.bench)
app.command("summary", cls=Command, epilog=summary.EXAMPLES)(summary.summary)
app.command("layers", cls=Command, epilog=layers.EXAMPLES)(layers.layers)
app.add_typer(config.app, name="config")
app.add_typer(data.app, name="data")
app.command("doctor", cls=Command, epilog=doctor.EXAMPLES)(doctor.doctor)
app.command("version", cls=Command, epilog=examples("cnn version --json"))(version.version)


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"cnn {__version__}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Write only errors and warnings to stderr.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Write more about what is done to stderr.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Train, evaluate and use convolutional networks that are described in YAML.

    Start with `cnn train --config lenet.yaml`, or read an image at once with `cnn predict image.png`.
    --quiet, --verbose and --debug may also follow the command.

    \b
    Exit codes:
      0    success
      1    failure
      2    wrong usage or config
      3    input data that cannot be read
      4    accuracy below --min-accuracy, worse with --fail-if-worse, or lost by export --int8
      5    an unsure answer, with --strict
      130  interrupted (Ctrl-C)
      143  terminated

    \b
    Environment:
      CNN_DATA        folder of the data sets
      CNN_CACHE       folder of the decoded images of your own data
      CNN_CHECKPOINT  checkpoint for commands that are given none
      CNN_OFFLINE=1   never use the network
      NO_COLOR=1      write no colors
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return the exit code."""
    if COMPLETION in os.environ:
        return _complete()
    from cnn_cli import console

    rest, common = split_common_options(arguments)
    console.configure(quiet="quiet" in common, verbose="verbose" in common)
    finder = _TorchFinder()
    sys.meta_path.insert(0, finder)
    try:
        return _invoke(rest) if "debug" in common else _guarded(rest)
    finally:
        sys.meta_path.remove(finder)
        _flush_stdout()


class _TorchFinder(MetaPathFinder):
    """Refuses to import torch where the working folder was deleted: its library MKL would end the process."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Find nothing: torch is where it is.

        Raises:
            ConfigError: the working folder was deleted.
        """
        if name == "torch":
            check_working_folder()


def split_common_options(arguments: Sequence[str]) -> tuple[list[str], set[str]]:
    """Return the arguments without the common options, and the names of the common options among them."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    rest = [argument for argument in arguments[:end] if argument not in COMMON_OPTIONS]
    common = {COMMON_OPTIONS[argument] for argument in arguments[:end] if argument in COMMON_OPTIONS}
    return [*rest, *arguments[end:]], common


def _complete() -> int:
    """Write the completions that a shell asks for, or its completion script."""
    try:
        typer.main.get_command(app).main([], prog_name="cnn")
    except SystemExit as stop:
        return int(stop.code or 0)
    return ExitCode.OK


def _invoke(arguments: Sequence[str]) -> int:
    """Run a command line and let its errors pass; typer's own `main` would turn many into something else."""
    try:
        with typer.main.get_command(app).make_context("cnn", list(arguments) or ["--help"]) as context:
            context.command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    return ExitCode.OK


def _guarded(arguments: Sequence[str]) -> int:
    """Run a command line, show its error if it has one, and return its exit code."""
    from cnn_cli import console

    try:
        with signals.raised_again():
            return _invoke(arguments)
    except CnnError as error:
        console.error(error)
        return error.code
    except ClickException as error:
        console.error(usage_error(error, arguments))
        return ExitCode.USAGE
    except KeyboardInterrupt as interruption:
        return _interrupted(getattr(interruption, "code", ExitCode.INTERRUPTED))
    except BrokenPipeError:
        return ExitCode.OK  # the reader of our stdout has left, as `cnn ... | head` does: that is no error
    except SystemExit as stop:
        # rich turns a BrokenPipeError into this, and so does typer when it has installed completion.
        return ExitCode.OK if isinstance(stop.__context__, BrokenPipeError) else int(stop.code or 0)
    except OSError as error:
        refused = _system_error(error)
        console.error(refused)
        return refused.code
    except Exception as error:
        console.error(OUT_OF_MEMORY if is_out_of_memory(error) else _unexpected_error(error, arguments))
        return ExitCode.FAILURE


def _interrupted(code: ExitCode) -> ExitCode:
    """Say which signal has ended the command, and return its exit code."""
    from cnn_cli import console

    console.message(signals.ENDINGS[code])
    return code


def _unexpected_error(error: Exception, arguments: Sequence[str]) -> CnnError:
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("cnn_cli"):
        return CnnError(
            f"this command needs {error.name}, which is not installed",
            hint="an installation for reading only lacks it; the whole program: pip install .",
        )
    command = shlex.join(["cnn", "--debug", *arguments])
    hint = f"this is a bug in cnn; this command shows the traceback: {command}"
    return CnnError(f"{type(error).__name__}: {error}", hint=hint)


def _flush_stdout() -> None:
    """Write what is buffered; drop it if nobody reads it, or Python would complain at exit."""
    if sys.stdout is None:  # a shell closed it
        return
    try:
        sys.stdout.flush()
    except OSError:  # a pipe without a reader, or a full disk: the command has said so
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _system_error(error: OSError) -> CnnError:
    """Return the error for what the system refused: a full disk, a name that is too long."""
    if error.errno == errno.ENOMEM:
        return OUT_OF_MEMORY
    try:
        check_working_folder()
    except ConfigError as missing:
        return missing
    where = f"{error.filename}: " if error.filename else ""
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = "free some space and try again; no file is half-written, and earlier files are unchanged"
    return CnnError(f"{where}{error.strerror or error}", hint=hint if is_full else None)
