"""`cnn train`."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.options import Json, Overrides, build_network_of
from cnn_cli.errors import CnnError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnn_cli.checkpoint.run_folder import RunFolder
    from cnn_cli.config.schema import Config
    from cnn_cli.training.records import EpochRecord, StepRecord
    from cnn_cli.training.run import Run, RunResult
    from cnn_cli.training.state import SavedState


def train(
    overrides: Overrides = None,
    config: Annotated[
        str | None,
        typer.Option("--config", "-c", help="A YAML file, or the name of a shipped config: lenet."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; without it checkpoints/NAME.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that is in the folder.")
    ] = False,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Train a network and save its checkpoint.

    The test set is evaluated once, at the end, with the weights of the best epoch on the validation split.
    Ctrl-C finishes the step, saves, and says how to go on; a second Ctrl-C leaves at once.
    """
    if resume is not None:
        _refuse_with_resume(config, overrides, out, overwrite)
        _resume(resume, as_json)
    elif config is None:
        named = next((word for word in overrides or [] if "=" not in word), "lenet.yaml")
        raise ConfigError("train needs a config", hint=f"cnn train --config {named}")
    else:
        _start(config, overrides or [], out, overwrite, as_json)


def _refuse_with_resume(
    config: str | None, overrides: list[str] | None, out: Path | None, overwrite: bool
) -> None:
    if config or overrides or out or overwrite:
        raise ConfigError(
            "--resume goes on with a run as it is: it takes no --config, --out, --overwrite or settings",
            hint="for a new run: cnn train --config FOLDER/config.yaml key=value",
        )


def _start(name: str, overrides: list[str], out: Path | None, overwrite: bool, as_json: bool) -> None:
    from cnn_cli.config.load import load_config

    loaded = load_config(name, overrides)
    config = loaded.config
    build_network_of(loaded, of_data=True)  # before the data is opened, which can take a minute
    from cnn_cli import console
    from cnn_cli.checkpoint.run_folder import create_run_folder

    wanted = out or Path(config.output.folder) / config.name

    def folder() -> "RunFolder":
        claimed = create_run_folder(wanted, overwrite=overwrite)
        if claimed.path != wanted:
            console.message(f"{wanted} holds a run already: this one goes to {claimed.path}")
        return claimed

    _run(config, None, folder, as_json)


def _resume(path: Path, as_json: bool) -> None:
    from cnn_cli import console
    from cnn_cli.checkpoint.run_folder import RunFolder
    from cnn_cli.training.state import read_state

    folder = RunFolder(path)
    if folder.finished:
        console.message(f"{path} is finished already: see {folder.metrics}")
        return
    state = read_state(folder)
    _run(state.config, state, lambda: folder, as_json)


def _run(
    config: "Config", state: "SavedState | None", folder: "Callable[[], RunFolder]", as_json: bool
) -> None:
    from cnn_cli import console
    from cnn_cli.checkpoint.run_folder import RunFolder
    from cnn_cli.data.source import Access
    from cnn_cli.data.sources import open_source
    from cnn_cli.training.device import compute_for
    from cnn_cli.training.run import Run

    compute = compute_for(config.train)
    with compute.processes.joined():
        with compute.processes.main_process_first(), console.download_bar() as bar:
            source = open_source(config.data, Access(bar))
        if config.data.touching:
            console.message("cutting digits out of rows in which they touch: a minute for 15,000")
        run = Run(config, source, compute)
        if state is not None:
            run.restore(state)
        is_main = compute.processes.is_main  # the others never write
        _execute(run, folder() if is_main else RunFolder(Path(os.devnull)), as_json)


def _execute(run: "Run", claimed: "RunFolder", as_json: bool) -> None:
    from cnn_cli import console
    from cnn_cli.cli.signals import stop_requests
    from cnn_cli.report.plots import learning_curve

    config, source, compute = run.config, run.source, run.compute
    console.message(
        f"training {config.name} on {source.name}: {_images(run)}; {compute.describe()}; seed {config.seed}"
    )
    show = _Show(source.name, as_json)
    try:
        with stop_requests() as stop:
            result = run.execute(claimed, show, stop)
    except BrokenPipeError:
        raise CnnError(
            "stopped, since nobody reads what is written to stdout any more; the last epoch is saved",
            hint=f"go on with: cnn train --resume {claimed.path}",
        ) from None
    finally:
        show.bar.close()
        if config.output.plot and run.loop.history and compute.processes.is_main:
            learning_curve(run.loop.history, f"{config.name} on {source.name}", claimed.curve)
    _show_result(result, as_json)


def _images(run: "Run") -> str:
    train, validation = len(run.loop.data.train), len(run.loop.data.validation)
    held_out = (
        f"{validation:,} for validation" if validation else "none for validation: the last weights are kept"
    )
    return f"{train:,} images, {held_out}"


class _Show:
    """Listens to the training: a bar for steps, a line for epochs."""

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
            self.console.line(epoch_line(record))


def epoch_line(record: "EpochRecord") -> str:
    """An epoch's figures for people."""
    width = len(str(record.epochs))
    parts = [f"epoch {record.epoch:>{width}}/{record.epochs}", f"train loss {record.train_loss:.4f}"]
    if record.validation_accuracy is not None:
        parts += [
            f"validation loss {record.validation_loss:.4f}",
            f"accuracy {record.validation_accuracy:.2%}",
        ]
    parts += [f"lr {record.lr:.2e}", f"{record.images_per_second:,.0f} images/s"]
    chosen = record.best and record.validation_accuracy is not None
    return "  ".join(parts) + ("  best" if chosen else "")


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
        stand_in = " (standing in for what could not be had)" if result.is_fallback else ""
        console.facts(
            [
                ("test accuracy", console.accuracy(test)),
                ("test loss", f"{test.loss:.4f}"),
                ("data", result.data + stand_in),
                ("checkpoint", str(folder.checkpoint)),
            ]
        )
    console.message(f"next: cnn eval {folder.path}\n      cnn predict image.png --checkpoint {folder.path}")
