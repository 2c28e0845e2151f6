"""`cnn train`."""

import json
import os
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli.cli.completion import checkpoint_names
from cnn_cli.cli.help import examples
from cnn_cli.cli.options import A_CONFIG, Json, Overrides, config_option, describe_data, quoted
from cnn_cli.cli.outputs import keep_inputs
from cnn_cli.errors import CnnError, ConfigError, ExitCode
from cnn_cli.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from cnn_cli.checkpoint.run_folder import RunFolder
    from cnn_cli.config.schema import Config
    from cnn_cli.training.records import EpochRecord, StepRecord
    from cnn_cli.training.run import Run, RunResult
    from cnn_cli.training.state import SavedState
    from cnn_cli.training.weights import Start

EXAMPLES = examples(
    "cnn train --config lenet.yaml",
    "cnn train --config my.yaml train.epochs=3 seed=7 --out runs/a",
    "cnn train --start reader data.root=images",
    "cnn train --resume runs/a",
    "cnn train --resume runs/a train.epochs=20",
)

FINETUNE = "finetune"
"""The config of a run that starts from trained weights and names no other."""


def train(
    overrides: Overrides = None,
    config: Annotated[str | None, config_option(f"{A_CONFIG}  [default with --start: finetune]")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="CHECKPOINT",
            help="Start from trained weights (train.start): a checkpoint file, a run's folder or the name "
            "of a network that ships.",
            autocompletion=checkpoint_names,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="The run's folder.  [default: checkpoints/NAME]"),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the run in the folder, once the new one is finished."),
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
    settings = [*(overrides or []), *([f"train.start={json.dumps(start)}"] if start else [])]
    config = config or (FINETUNE if start else None)
    if resume is not None:
        _check_resume_alone(config, out, overwrite)
        _resume(resume, settings, as_json)
    elif config is None:
        name = next((word for word in settings if "=" not in word), "lenet.yaml")
        raise ConfigError("train needs a config", hint=f"cnn train --config {quoted(name)}")
    else:
        _start(config, settings, out, overwrite, as_json)


def _check_resume_alone(config: str | None, out: Path | None, overwrite: bool) -> None:
    if config or out or overwrite:
        raise ConfigError(
            "--resume goes on with a run: it takes no --config, --start, --out or --overwrite",
            hint="for a new run: cnn train --config FOLDER/config.yaml key=value",
        )


def _start(name: str, overrides: list[str], out: Path | None, overwrite: bool, as_json: bool) -> None:
    from cnn_cli.checkpoint.start import parent_of
    from cnn_cli.config.load import load_config
    from cnn_cli.training.start import build_network_of

    loaded = load_config(name, overrides, parent_of)
    config = loaded.config
    build_network_of(loaded, of_data=True)  # before the data is opened, which can take a minute
    from cnn_cli import console
    from cnn_cli.checkpoint.run_folder import RunFolder
    from cnn_cli.checkpoint.run_writer import new_run

    requested = out or Path(config.output.folder) / config.name
    if overwrite:
        keep_inputs({"--overwrite": RunFolder(requested).config}, [loaded.origin])

    @contextmanager
    def folder() -> "Iterator[RunFolder]":
        with new_run(requested, overwrite=overwrite) as created:
            if created.home != requested:
                console.message(f"{requested} already holds a run: this one goes to {created.path}")
            elif created.replaces:
                console.message(f"{requested} keeps its run until the new one is finished")
            yield created

    with _opened(config, None) as run:
        _execute_in(folder(), run, as_json)


def _resume(path: Path, settings: list[str], as_json: bool) -> None:
    from cnn_cli import console, distributed
    from cnn_cli.checkpoint.run_writer import continued_run
    from cnn_cli.training.longer import with_settings
    from cnn_cli.training.state import read_state

    with continued_run(path, writes=distributed.is_main(), longer=bool(settings)) as folder:
        if folder.finished and not settings:
            console.message(f"{path} is already finished: see {folder.metrics}")
            return
        state = with_settings(read_state(folder), settings)
        with _opened(state.config, state) as run:
            _execute(run, folder, as_json)


@contextmanager
def _opened(config: "Config", state: "SavedState | None") -> "Iterator[Run]":
    """Connect the processes, and yield the run with its data opened."""
    from cnn_cli import console
    from cnn_cli.data.source import Access
    from cnn_cli.training.device import compute_for
    from cnn_cli.training.start import open_run

    compute = compute_for(config.train)
    with compute.processes.joined():
        if config.data.name == "lines":
            console.message("composing lines (20,000 a minute)")
        if config.data.proposed:
            console.message("making more training images (data.proposed: 10,000 a minute)")
        with console.download_bar() as bar:
            run = open_run(config, compute, Access(bar), state)
        yield run


def _execute_in(place: "AbstractContextManager[RunFolder]", run: "Run", as_json: bool) -> None:
    """Execute a run in its folder; of several processes only the main one writes."""
    from cnn_cli.checkpoint.run_folder import RunFolder

    with place if run.compute.processes.is_main else nullcontext(RunFolder(Path(os.devnull))) as folder:
        _execute(run, folder, as_json)


def _execute(run: "Run", folder: "RunFolder", as_json: bool) -> None:
    from cnn_cli import console
    from cnn_cli.report.plots import plot_learning_curve
    from cnn_cli.training.balance import notes

    config, source, compute = run.config, run.source, run.compute
    what = "testing" if run.loop.finished else "training"
    if run.start:
        console.message(_describe_start(run.start))
    console.message(
        f"{what} {config.name} on {source.name}: {_images(run)}; {compute.describe()}; seed {config.seed}"
    )
    for note in notes(run.loop.data.train.labels, source.classes, evened_out=_evens_out(config)):
        console.message(note)
    try:
        result, code = _to_the_end(run, folder, _Show(source.name, as_json))
    except CnnError:
        plot_learning_curve(run, folder)
        raise
    _show_result(result, config.data.root, as_json)  # before the plot, which takes a second
    plot_learning_curve(run, result.folder)
    if code:
        raise typer.Exit(code)


def _to_the_end(run: "Run", folder: "RunFolder", show: "_Show") -> "tuple[RunResult, ExitCode | None]":
    """Train and test; return the result, and the exit code of a signal that came too late to stop it."""
    from cnn_cli.cli.signals import stop_requests

    try:
        with stop_requests() as stop:
            return run.execute(folder, show, stop), stop()
    except BrokenPipeError:
        raise CnnError(
            "stopped, because stdout was closed; the last epoch is saved",
            hint=f"to continue: cnn train --resume {quoted(folder.home)}",
        ) from None
    finally:
        show.bar.close()


def _describe_start(start: "Start") -> str:
    """Return what a run takes over from the network that it starts from, in a few lines."""
    text = f"starting from {start.parent}"
    if not start.heads:
        return text
    new, kept = listed(start.new), listed(start.kept)
    lines = [text]
    lines += [f"other classes: {listed(start.heads)} is made anew for {new}"] if new else []
    lines += [f"the outputs for {kept} keep their weights"] if kept else []
    return "\n".join(lines)


def _evens_out(config: "Config") -> bool:
    return config.data.balance or config.train.class_weights != "none"


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


def _show_result(result: "RunResult", root: str | None, as_json: bool) -> None:
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
    place = f" {quoted(f'data.root={root}')}" if root else ""  # a checkpoint's own is never used
    console.message(f"next: cnn eval {path}{place}\n      cnn {command} image.png --checkpoint {path}")
