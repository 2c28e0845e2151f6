"""`cnn train`."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.completion import config_names
from cnn_cli.cli.help import examples
from cnn_cli.cli.options import Json, Overrides, describe_data, quoted
from cnn_cli.errors import CnnError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnn_cli.checkpoint.run_folder import RunFolder
    from cnn_cli.config.schema import Config
    from cnn_cli.training.records import EpochRecord, StepRecord
    from cnn_cli.training.run import Run, RunResult
    from cnn_cli.training.state import SavedState

EXAMPLES = examples(
    "cnn train --config lenet.yaml",
    "cnn train --config my.yaml train.epochs=3 seed=7 --out runs/a",
    "cnn train --resume runs/a",
)


def train(
    overrides: Overrides = None,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            "-c",
            metavar="CONFIG",
            help="A YAML file, or the name of a config such as lenet.",
            autocompletion=config_names,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="The run's folder.  [default: checkpoints/NAME]"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that is in the folder.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="FOLDER", help="Continue the run in this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a network and save its checkpoint.

    The test set is evaluated once, at the end, with the weights of the epoch that was best on the validation
    split. Ctrl-C finishes the step, saves everything and shows the command that continues; a second Ctrl-C
    exits at once.
    """
    if resume is not None:
        _check_resume_alone(config, overrides, out, overwrite)
        _resume(resume, as_json)
    elif config is None:
        name = next((word for word in overrides or [] if "=" not in word), "lenet.yaml")
        raise ConfigError("train needs a config", hint=f"cnn train --config {quoted(name)}")
    else:
        _start(config, overrides or [], out, overwrite, as_json)


def _check_resume_alone(
    config: str | None, overrides: list[str] | None, out: Path | None, overwrite: bool
) -> None:
    if config or overrides or out or overwrite:
        raise ConfigError(
            "--resume continues a run unchanged: it takes no --config, --out, --overwrite or settings",
            hint="for a new run: cnn train --config FOLDER/config.yaml key=value",
        )


def _start(name: str, overrides: list[str], out: Path | None, overwrite: bool, as_json: bool) -> None:
    from cnn_cli.config.load import load_config
    from cnn_cli.training.start import build_network_of

    loaded = load_config(name, overrides)
    config = loaded.config
    build_network_of(loaded, of_data=True)  # before the data is opened, which can take a minute
    from cnn_cli import console
    from cnn_cli.checkpoint.run_folder import create_run_folder

    requested = out or Path(config.output.folder) / config.name

    def folder() -> "RunFolder":
        created = create_run_folder(requested, overwrite=overwrite)
        if created.path != requested:
            console.message(f"{requested} already holds a run: this one goes to {created.path}")
        return created

    _run(config, None, folder, as_json)


def _resume(path: Path, as_json: bool) -> None:
    from cnn_cli import console
    from cnn_cli.checkpoint.run_folder import RunFolder
    from cnn_cli.training.state import read_state

    folder = RunFolder(path)
    if folder.finished:
        console.message(f"{path} is already finished: see {folder.metrics}")
        return
    state = read_state(folder)
    _run(state.config, state, lambda: folder, as_json)


def _run(
    config: "Config", state: "SavedState | None", folder: "Callable[[], RunFolder]", as_json: bool
) -> None:
    from cnn_cli import console
    from cnn_cli.checkpoint.run_folder import RunFolder
    from cnn_cli.data.source import Access
    from cnn_cli.training.device import compute_for
    from cnn_cli.training.start import open_run

    compute = compute_for(config.train)
    with compute.processes.joined():
        if config.data.name == "lines":
            console.message("composing lines (20,000 a minute)")
        if config.data.touching or config.data.proposed:
            console.message("making more training images (data.touching, data.proposed: 10,000 a minute)")
        with console.download_bar() as bar:
            run = open_run(config, compute, Access(bar), state)
        is_main = compute.processes.is_main  # the others never write
        _execute(run, folder() if is_main else RunFolder(Path(os.devnull)), as_json)


def _execute(run: "Run", folder: "RunFolder", as_json: bool) -> None:
    from cnn_cli import console
    from cnn_cli.cli.signals import stop_requests
    from cnn_cli.report.plots import plot_learning_curve

    config, source, compute = run.config, run.source, run.compute
    console.message(
        f"training {config.name} on {source.name}: {_images(run)}; {compute.describe()}; seed {config.seed}"
    )
    show = _Show(source.name, as_json)
    try:
        with stop_requests() as stop:
            result = run.execute(folder, show, stop)
    except BrokenPipeError:
        raise CnnError(
            "stopped, because stdout was closed; the last epoch is saved",
            hint=f"to continue: cnn train --resume {quoted(folder.path)}",
        ) from None
    finally:
        show.bar.close()
        plot_learning_curve(run, folder)
    _show_result(result, as_json)


def _images(run: "Run") -> str:
    train, validation = len(run.loop.data.train), len(run.loop.data.validation)
    held_out = (
        f"{validation:,} for validation" if validation else "none for validation: the last weights are kept"
    )
    return f"{train:,} images, {held_out}"


class _Show:
    """A listener of the training: a bar for steps, a line for epochs."""

    def __init__(self, data: str, as_json: bool) -> None:
        from cnn_cli import console

        self.data, self.as_json, self.console, self.bar = data, as_json, console, console.StepBar()

    def __call__(self, record: "StepRecord | EpochRecord") -> None:
        from cnn_cli.training.records import StepRecord

        if isinstance(record, StepRecord):
            self.bar.update(f"epoch {record.epoch}", record.step, record.steps)
            return
        self.bar.close()
        if self.as_json:
            self.console.json_line({"event": "epoch", **asdict(record), "data": self.data})
        else:
            self.console.line(str(record))


def _show_result(result: "RunResult", as_json: bool) -> None:
    from cnn_cli import console

    test, folder = result.test, result.folder
    if as_json:
        console.json_line(
            {
                "event": "result",
                "accuracy": test.accuracy,
                "accuracy_interval": test.accuracy_interval,
                "loss": test.loss,
                "n": test.n,
                "data": result.data,
                "fallback": result.is_fallback,
                "split": "test",
                "epoch": result.best.epoch if result.best else 0,
                "seconds": result.seconds,
                "run": str(folder.path),
                "checkpoint": str(folder.checkpoint),
            }
        )
    else:
        lines = result.reads_lines
        console.facts(
            [
                ("test lines exactly right" if lines else "test accuracy", console.accuracy(test)),
                ("test loss", f"{test.loss:.4f}"),
                ("data", describe_data(result.data, result.is_fallback)),
                ("checkpoint", str(folder.checkpoint)),
            ]
        )
    path = quoted(folder.path)
    command = "read" if result.reads_lines else "predict"
    console.message(f"next: cnn eval {path}\n      cnn {command} image.png --checkpoint {path}")
