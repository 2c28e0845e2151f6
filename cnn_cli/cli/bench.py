"""`cnn bench`."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnn_cli import distributed
from cnn_cli.cli.help import examples
from cnn_cli.cli.options import A_CONFIG, Json, Overrides, config_option, describe_data
from cnn_cli.cli.outputs import JSON, check_output
from cnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from cnn_cli.config.schema import Config
    from cnn_cli.errors import ExitCode
    from cnn_cli.training.bench import Bench
    from cnn_cli.training.records import EpochRecord, StepRecord
    from cnn_cli.training.results import SeedResult

EXAMPLES = examples("cnn bench --config lenet.yaml --seeds 3 train.epochs=5")


def bench(
    config: Annotated[str, config_option(A_CONFIG)],
    overrides: Overrides = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="Number of seeds; trains with the seeds 1 to N.")
    ] = 5,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.json",
            help="The results file; the runs go into a folder beside it.  [default: bench/NAME.json]",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train one config with several seeds; write mean and deviation into a file.

    Each seed is trained as `cnn train` trains it and tested once, at the end: the test set selects nothing.
    The same command continues after a stop, also in the middle of a seed. The file is then the same except
    for `seconds` and `cpu_seconds`, which are sums over all starts.
    """
    from cnn_cli import console

    benchmark = _open_bench(config, overrides or [], seeds, out)
    done = benchmark.results.runs
    if done:
        console.message(f"{benchmark.path} already has {len(done)} of its seeds")
    for result in done:
        _show(result, as_json)
    code = _run(benchmark, seeds, as_json)
    _show_summary(benchmark, as_json)
    if code:  # a signal came when the last seed was about to end
        raise typer.Exit(code)


def _open_bench(name: str, overrides: list[str], seeds: int, out: Path | None) -> "Bench":
    from cnn_cli import console
    from cnn_cli.checkpoint.start import parent_of
    from cnn_cli.config.load import load_config
    from cnn_cli.data.source import Access
    from cnn_cli.data.sources import open_source
    from cnn_cli.training.bench import Bench
    from cnn_cli.training.device import compute_for
    from cnn_cli.training.start import build_network_of

    _check_usage(overrides)
    if out is not None:
        check_output("--out", out, JSON)
    loaded = load_config(name, overrides, parent_of)
    config = loaded.config
    build_network_of(loaded, of_data=True)  # before the data is opened, which can take a minute
    compute = compute_for(config.train)
    with console.download_bar() as bar:
        source = open_source(config.data, Access(bar))
    command = shlex.join(["cnn", "bench", "--config", name, "--seeds", str(seeds), *overrides])
    return Bench(config, source, compute, out or _default_file(config), command)


def _check_usage(overrides: list[str]) -> None:
    if distributed.world_size() > 1:
        raise ConfigError(
            "bench runs in one process",
            hint="several processes train one network with: torchrun ... cnn train",
        )
    if any(override.partition("=")[0] == "seed" for override in overrides):
        raise ConfigError("bench sets the seed itself", hint="--seeds 5 trains with the seeds 1 to 5")


def _default_file(config: "Config") -> Path:
    return Path("bench") / f"{config.name}.json"


def _run(benchmark: "Bench", seeds: int, as_json: bool) -> "ExitCode | None":
    """Run the benchmark, and return the exit code of a signal that came too late to stop it."""
    from cnn_cli import console
    from cnn_cli.cli.signals import stop_requests

    config, source, device = benchmark.config, benchmark.source, benchmark.compute.describe()
    console.message(f"{config.name} on {source.name}; {device}; {benchmark.path}")
    show = _Show()
    try:
        with stop_requests() as stop:
            for result in benchmark.run(seeds, show, stop):
                show.bar.close()
                _show(result, as_json)
            return stop()
    finally:
        show.bar.close()


class _Show:
    """A listener of the runs: a bar for steps, a line for epochs, both on stderr; stdout is for results."""

    def __init__(self) -> None:
        from cnn_cli import console

        self.bar, self.message = console.StepBar(), console.message

    def __call__(self, seed: int, record: "StepRecord | EpochRecord") -> None:
        from cnn_cli.training.records import StepRecord

        if isinstance(record, StepRecord):
            self.bar.update(f"seed {seed} epoch {record.epoch}", record.step, record.steps)
            return
        self.bar.close()
        self.message(f"seed {seed}  {record}")


def _show(result: "SeedResult", as_json: bool) -> None:
    from cnn_cli import console

    if as_json:
        console.json_line({"event": "seed", **asdict(result)})
        return
    console.line(
        f"seed {result.seed}  test accuracy {result.accuracy:.2%}  loss {result.loss:.4f}  "
        f"epoch {result.epoch}/{result.epochs}  {result.seconds:,.1f} s  CPU {result.cpu_seconds:,.1f} s"
    )


def _show_summary(benchmark: "Bench", as_json: bool) -> None:
    from cnn_cli import console
    from cnn_cli.training.results import summary

    runs, setting = benchmark.results.runs, benchmark.results.setting
    figures = summary(runs)
    if as_json:
        data = {"data": setting["data"], "fallback": setting["fallback"]}
        record = {"event": "result", "seeds": len(runs), **figures, **data, "file": str(benchmark.path)}
        console.json_line(record)
        return
    mean, deviation = figures["accuracy"].values()
    spread = f" ± {100 * deviation:.2f}" if deviation is not None else ""
    console.facts(
        [
            ("test accuracy", f"{100 * mean:.2f} %{spread} (mean and deviation of {len(runs)} seeds)"),
            ("parameters", f"{setting['parameters']:,}"),
            ("data", describe_data(setting["data"], setting["fallback"])),
            ("results", str(benchmark.path)),
        ]
    )
