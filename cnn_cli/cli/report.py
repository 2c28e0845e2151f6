"""`cnn report`."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnn_cli.cli.completion import checkpoint_names
from cnn_cli.cli.help import examples
from cnn_cli.cli.labeled_data import Split, announce, open_data_of, split_arguments
from cnn_cli.cli.options import quoted
from cnn_cli.cli.outputs import HTML, check_output
from cnn_cli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from cnn_cli.checkpoint.file import Checkpoint
    from cnn_cli.config.schema import Config
    from cnn_cli.data.source import Source
    from cnn_cli.report.html.subject import Subject
    from cnn_cli.training.evaluation import Evaluation
    from cnn_cli.training.results import Results

EXAMPLES = examples(
    "cnn report checkpoints/lenet",
    "cnn report runs/a runs/b --out both.html",
    "cnn report bench/lenet.json data.root=my-data",
)


def report(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|KEY=VALUE",
            help="Folders of runs, checkpoint files or names of networks that ship; or one results file of "
            "cnn bench. Then settings of the data or the device, such as data.root=FOLDER.",
            autocompletion=checkpoint_names,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.html", help="The report.  [default: report.html]")
    ] = Path("report.html"),
) -> None:
    """Write a report of a run as one HTML file, for a person to look at.

    It has the accuracy with its interval, learning curves, the confusion matrix with the images behind each
    count, mistakes, calibration, filters, the config with what differs from its base, the machine, and the
    commands that repeat the run. The checkpoint is evaluated on the test set of its data; where that is not
    available, the report says so and has the rest. Several runs and benchmarks are shown side by side.
    """
    from cnn_cli import console

    names, overrides = split_arguments("report", arguments)
    if not names:
        raise ConfigError("report needs a run", hint="cnn report checkpoints/lenet")
    check_output("--out", out, HTML, [name for name in names if name.is_file()])
    command = shlex.join(["cnn", "report", *arguments])
    benchmarks = [name for name in names if name.suffix == ".json"]
    if not benchmarks:
        _report_runs(names, overrides, out, command)
    elif len(names) == 1:
        _report_bench(names[0], overrides, out, command)
    else:
        raise ConfigError(
            f"{benchmarks[0]}: a results file of cnn bench has a report of its own",
            hint=f"cnn report {quoted(benchmarks[0])}",
        )
    console.message(f"report: {out}")


def _report_runs(names: Sequence[Path], overrides: list[str], out: Path, command: str) -> None:
    from cnn_cli.report.html.several import figures_of, write_side_by_side
    from cnn_cli.report.html.single import write_report

    measurements = _Measurements(overrides)
    subjects = measurements.subjects(names)
    measured = measurements.machine
    if len(subjects) == 1:
        write_report(out, subjects[0], measured, _commands(subjects[0], command))
        return
    figures = [known for subject in subjects if (known := figures_of(subject))]
    if not figures:
        raise DataError(f"no figures of these runs are known: {subjects[0].missing}")
    machines = subjects[0].trained_on(), measured
    commands = {"Write this report again:": command}
    write_side_by_side(out, f"Report: {len(subjects)} runs", figures, subjects, machines, commands)


def _report_bench(file: Path, overrides: list[str], out: Path, command: str) -> None:
    """Write the report of a benchmark: the figures in its file, and more from its runs if they are there."""
    from cnn_cli.report.html.several import figures_of_seed, write_side_by_side
    from cnn_cli.training.results import read

    results = read(file)
    if not results.runs:
        raise DataError(f"{file}: no seed is finished", hint="continue it with the same cnn bench command")
    measurements = _Measurements(overrides)
    subjects = measurements.subjects(_runs_of(file, results))
    figures = [figures_of_seed(run, results.setting) for run in results.runs]
    commands = {"Run the benchmark again:": results.command, "Write this report again:": command}
    machines = results.setting.get("machine", {}), measurements.machine
    write_side_by_side(out, f"Benchmark: {file.stem}", figures, subjects, machines, commands)


def _runs_of(file: Path, results: "Results") -> list[Path]:
    """Return the folders of the runs of a benchmark that are still there."""
    folders = [file.with_suffix("") / f"seed-{run.seed}" for run in results.runs]
    return [folder for folder in folders if (folder / "model.safetensors").is_file()]


class _Measurements:
    """Evaluations of runs on the test set. Data that several runs share is opened and loaded once."""

    def __init__(self, overrides: list[str]) -> None:
        self.machine: dict[str, Any] | None = None
        """This machine, once something was evaluated on it."""
        self._overrides = overrides
        self._sources: dict[str, Source] = {}

    def subjects(self, names: Sequence[Path]) -> "list[Subject]":
        """Return the runs of these names with their answers to the test set where it is available."""
        return [self._subject(name) for name in names]

    def _subject(self, name: Path) -> "Subject":
        from cnn_cli.checkpoint.choose import choose_checkpoint
        from cnn_cli.checkpoint.file import read
        from cnn_cli.report.html.subject import Subject, run_folder_of

        file = choose_checkpoint(name)
        subject = Subject(str(name), (read(file),), run_folder_of(file))
        try:
            return replace(subject, evaluation=self._evaluate(subject.checkpoint))
        except DataError as error:
            return replace(subject, missing=error.message)

    def _evaluate(self, checkpoint: "Checkpoint") -> "Evaluation":
        from cnn_cli.training.as_read import chooses_hypotheses
        from cnn_cli.training.device import compute_for
        from cnn_cli.training.evaluation import evaluate
        from cnn_cli.training.machine import describe
        from cnn_cli.training.start import evaluation_config

        config = evaluation_config(checkpoint, self._overrides)
        decode = not chooses_hypotheses([checkpoint])  # such a network reads the files
        source, compute = self._source(config, decode), compute_for(config.train)
        announce("evaluating", [checkpoint.path or Path()], Split.TEST, source, compute)
        evaluation = evaluate([checkpoint], source, Split.TEST, compute)
        self.machine = describe(compute)
        return evaluation

    def _source(self, config: "Config", decode: bool) -> "Source":
        key = config.data.model_dump_json()
        if key not in self._sources:
            source = open_data_of(config, decode)
            self._sources[key] = replace(source, test=cache(source.test))
        return self._sources[key]


def _commands(subject: "Subject", report: str) -> dict[str, str]:
    """Return what repeats a run, its test and its report."""
    commands = {}
    if subject.folder:
        config = quoted(subject.folder.config)
        commands["Train the same network again, into a new folder:"] = (
            f"cnn train --config {config} --out repeated"
        )
    commands["Measure it again:"] = f"cnn eval {quoted(subject.name)}"
    return commands | {"Write this report again:": report}
