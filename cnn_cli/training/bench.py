"""A benchmark: one config trained with several seeds. After a stop it continues where it was."""

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.checkpoint.run_writer import continued_run
from cnn_cli.checkpoint.start import as_parent, read_start
from cnn_cli.config.schema import Config
from cnn_cli.data.source import Source
from cnn_cli.errors import ConfigError, DataError, ExitCode, StoppedError
from cnn_cli.files import make_folder
from cnn_cli.locks import locked
from cnn_cli.model.network import network_for
from cnn_cli.training import machine, results
from cnn_cli.training.device import Compute
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.results import SeedResult, Unfinished
from cnn_cli.training.run import Run
from cnn_cli.training.state import read_state

Listener = Callable[[int, StepRecord | EpochRecord], None]
"""Called with the seed and every record of a run."""


@dataclass(frozen=True)
class _Clock:
    """A clock that adds the time since it started to the time of earlier starts."""

    before: Unfinished
    wall: float
    cpu: float

    def unfinished(self) -> Unfinished:
        """Return the unfinished run with the time that it has taken so far."""
        return replace(
            self.before,
            seconds=self.before.seconds + time.perf_counter() - self.wall,
            cpu_seconds=self.before.cpu_seconds + time.process_time() - self.cpu,
        )


class Bench:
    """A benchmark that is ready to run.

    Args:
        config: the resolved config; its seed is not used.
        source: the data.
        compute: device and number format.
        path: the results file; the runs go into the folder of the same name without `.json`.
        command: the command that repeats the benchmark.

    Raises:
        ConfigError: the results file has results of another setting.
        DataError: the results file cannot be read.
    """

    def __init__(self, config: Config, source: Source, compute: Compute, path: Path, command: str) -> None:
        if path.suffix != ".json":
            json_path = shlex.quote(str(path.with_suffix(".json")))
            raise ConfigError(f"{path}: results are written as JSON", hint=f"--out {json_path}")
        self.config, self.source, self.compute, self.path = config, source, compute, path
        self.setting, self.command = setting(config, source, compute), command
        self.results = results.read_or_create(path, self.setting, command)

    def run(self, seeds: int, listen: Listener, stop: Callable[[], ExitCode | None]) -> Iterator[SeedResult]:
        """Train with those of the seeds 1 to `seeds` that are missing; yield each result once it is saved.

        Args:
            seeds: number of seeds.
            listen: called with every record.
            stop: called after every step; if it returns an exit code, everything is saved and the run stops.

        Raises:
            StoppedError: `stop` returned an exit code.
            ConfigError: another process runs the same benchmark.
            CnnError: a run failed.
        """
        with self._lock():
            self.results = results.read_or_create(self.path, self.setting, self.command)
            finished = {run.seed for run in self.results.runs}
            for seed in range(1, seeds + 1):
                if seed not in finished:
                    yield self._measure(seed, listen, stop)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep other processes from the file and its runs. The lock of a process that dies is released."""
        runs = self.path.with_suffix("")
        with ExitStack() as stack:
            try:
                stack.enter_context(locked(runs, f"{self.path}: another cnn bench is writing it"))
            except OSError as error:
                raise ConfigError(
                    f"{runs}: cannot create the folder of the runs: {error.strerror or error}",
                    hint="choose another file with --out",
                ) from None
            yield

    def _measure(self, seed: int, listen: Listener, stop: Callable[[], ExitCode | None]) -> SeedResult:
        """Train with one seed and add its result to the file."""
        folder = self._folder(seed)

        def note(record: StepRecord | EpochRecord) -> None:
            if isinstance(record, EpochRecord):
                self._write(unfinished=clock.unfinished())
            listen(seed, record)

        with self._clock(seed) as clock:  # it writes that the run has started before there is a folder
            make_folder(folder.path)
            with continued_run(folder.path), self._bench_hint():
                if not folder.finished:  # it is if a process was killed before it saved the result of the run
                    self._run_of(folder, seed).execute(folder, note, stop)
        result = seed_result(folder, clock.unfinished())
        self.results = self.results.with_run(result)
        self._write()
        return result

    def _folder(self, seed: int) -> RunFolder:
        """Return the folder of the run: the one of an earlier start, or a new one."""
        path = self.path.with_suffix("") / f"seed-{seed}"
        unfinished = self.results.unfinished
        has_started = unfinished is not None and unfinished.seed == seed
        if not has_started and path.is_dir() and any(path.iterdir()):
            raise ConfigError(
                f"{path}: contains a run that is not in {self.path}",
                hint="remove the folder, or choose another file with --out",
            )
        return RunFolder(path)

    @contextmanager
    def _clock(self, seed: int) -> Iterator[_Clock]:
        """Measure the time of a run, and write it to the file even after an error."""
        before = self.results.unfinished
        before = before if before and before.seed == seed else Unfinished(seed)
        self._write(unfinished=before)
        clock = _Clock(before, time.perf_counter(), time.process_time())
        try:
            yield clock
        finally:
            self._write(unfinished=clock.unfinished())

    @contextmanager
    def _bench_hint(self) -> Iterator[None]:
        """Replace the hint of a stopped run, which is not resumed with `cnn train`."""
        try:
            yield
        except StoppedError as stopped:
            raise StoppedError(
                stopped.message,
                hint="go on with the same command: what is finished is not repeated",
                code=stopped.code,
            ) from None

    def _run_of(self, folder: RunFolder, seed: int) -> Run:
        """Return the run of a seed, restored if it was stopped after its first epoch."""
        config = self.config.model_copy(update={"seed": seed})
        state = read_state(folder) if folder.state.is_file() else None
        if state and _without_output(state.config) != _without_output(config):
            hint = f"remove {shlex.quote(str(folder.path))}"
            raise DataError(f"{folder.state}: is from another config", hint=hint)
        return Run(config, self.source, self.compute, state)

    def _write(self, **changes: Any) -> None:
        self.results = replace(self.results, **changes)
        results.write(self.path, self.results)


def setting(config: Config, source: Source, compute: Compute) -> dict[str, Any]:
    """Return everything except the seed that decides the results of a benchmark."""
    network = network_for(config, len(source.classes))
    start = config.train.start
    parent = {"parent": asdict(as_parent(start, read_start(start)))} if start else {}
    return parent | {
        "config": {name: part for name, part in _without_output(config).items() if name != "seed"},
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "data": source.name,
        "fallback": source.is_fallback,
        "machine": machine.describe(compute),
    }


def _without_output(config: Config) -> dict[str, Any]:
    """Return the config without the section `output`, which decides no result."""
    return config.model_dump(mode="json", exclude_none=True, exclude={"output"})


def seed_result(folder: RunFolder, run: Unfinished) -> SeedResult:
    """Return the part of a run's `metrics.json` that the benchmark keeps.

    Raises:
        DataError: the file is damaged.
    """
    metrics = folder.read_metrics()
    try:
        test, best = metrics["test"], metrics["best"] or {}
        return SeedResult(
            seed=run.seed,
            **{name: test[name] for name in ("accuracy", "correct", "n", "loss")},
            epoch=best.get("epoch", 0),
            epochs=metrics["epochs"],
            validation_accuracy=best.get("validation_accuracy"),
            seconds=run.seconds,
            cpu_seconds=run.cpu_seconds,
        )
    except (AttributeError, KeyError, TypeError):
        raise DataError(
            f"{folder.metrics}: holds no figures of a run", hint=f"remove {shlex.quote(str(folder.path))}"
        ) from None
