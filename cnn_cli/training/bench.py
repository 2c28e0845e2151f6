"""A benchmark: one config trained with several seeds. Stopped at any moment, it goes on where it was."""

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.config.schema import Config
from cnn_cli.data.source import Source
from cnn_cli.errors import ConfigError, DataError, ExitCode, StoppedError
from cnn_cli.model.network import network_for
from cnn_cli.training import machine, results
from cnn_cli.training.device import Compute
from cnn_cli.training.records import EpochRecord, StepRecord
from cnn_cli.training.results import SeedResult, Unfinished
from cnn_cli.training.run import Run, read_state

Listener = Callable[[int, StepRecord | EpochRecord], None]
"""Hears every record of every run, with the run's seed."""


@dataclass(frozen=True)
class _Clock:
    """Time since it was made, on top of what was spent before."""

    before: Unfinished
    wall: float
    cpu: float

    def spent(self) -> Unfinished:
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
        command: what repeats it all.

    Raises:
        ConfigError: the results file holds results of another setting.
        DataError: the results file cannot be read.
    """

    def __init__(self, config: Config, source: Source, compute: Compute, path: Path, command: str) -> None:
        if path.suffix != ".json":
            raise ConfigError(
                f"{path}: results are written as JSON", hint=f"--out {shlex.quote(str(path.with_suffix('.json')))}"
            )
        self.config, self.source, self.compute, self.path = config, source, compute, path
        self.setting, self.command = setting(config, source, compute), command
        self.results = results.continued(path, self.setting, command)

    def run(self, seeds: int, listen: Listener, stop: Callable[[], ExitCode | None]) -> Iterator[SeedResult]:
        """Train with the seeds 1 to `seeds` that the results file lacks; each is in the file when it comes.

        Args:
            seeds: how many.
            listen: called with every record.
            stop: asked after every step; an exit code ends the benchmark there, with everything saved.

        Raises:
            StoppedError: as asked for.
            ConfigError: another process is at the same benchmark.
            CnnError: a run failed.
        """
        with self._alone():
            self.results = results.continued(self.path, self.setting, self.command)
            there = {run.seed for run in self.results.runs}
            for seed in range(1, seeds + 1):
                if seed not in there:
                    yield self._measure(seed, listen, stop)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from the file and its runs. The lock of one that dies is gone with it."""
        runs = self.path.with_suffix("")
        try:
            runs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{runs}: cannot be made the folder of the runs: {error.strerror or error}",
                hint="choose another file with --out",
            ) from None
        try:
            with FileLock(runs / ".lock", timeout=0):
                yield
        except Timeout:
            raise ConfigError(
                f"{self.path}: another cnn bench is at work on it",
                hint="wait for its end, or choose another file with --out",
            ) from None

    def _measure(self, seed: int, listen: Listener, stop: Callable[[], ExitCode | None]) -> SeedResult:
        folder = self._folder(seed)

        def note(record: StepRecord | EpochRecord) -> None:
            if isinstance(record, EpochRecord):
                self._write(unfinished=clock.spent())
            listen(seed, record)

        with self._clock(seed) as clock:
            if not folder.finished:  # a run that was is one of a process killed before it could say so
                with self._stopping():
                    self._preprocessed(folder, seed).execute(folder, note, stop)
        found = seed_result(folder.read_metrics(), clock.spent())
        self.results = self.results.finished(found)
        self._write()
        return found

    def _folder(self, seed: int) -> RunFolder:
        """The run's folder: its own from an earlier start, or a new one."""
        path = self.path.with_suffix("") / f"seed-{seed}"
        begun = self.results.unfinished
        is_ours = begun is not None and begun.seed == seed
        if not is_ours and path.is_dir() and any(path.iterdir()):
            raise ConfigError(
                f"{path}: holds a run that {self.path} does not know of",
                hint="remove the folder, or choose another file with --out",
            )
        return RunFolder(path)

    @contextmanager
    def _clock(self, seed: int) -> Iterator[_Clock]:
        """Count the time, and leave it in the file however it ends."""
        before = self.results.unfinished
        before = before if before and before.seed == seed else Unfinished(seed)
        self._write(unfinished=before)
        clock = _Clock(before, time.perf_counter(), time.process_time())
        try:
            yield clock
        finally:
            self._write(unfinished=clock.spent())

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        try:
            yield
        except StoppedError as stopped:
            raise StoppedError(
                stopped.message,
                hint="go on with the same command: what is there is not done again",
                code=stopped.code,
            ) from None

    def _preprocessed(self, folder: RunFolder, seed: int) -> Run:
        """The run, at its beginning or where it was stopped."""
        config = self.config.model_copy(update={"seed": seed})
        run = Run(config, self.source, self.compute)
        if (
            not folder.state.is_file()
        ):  # stopped before its first epoch: a run writes nothing else before that
            return run
        state = read_state(folder)
        if _deciding(state.config) != _deciding(config):
            raise DataError(f"{folder.state}: is of another config", hint=f"remove {shlex.quote(str(folder.path))}")
        run.restore(state)
        return run

    def _write(self, **changes: Any) -> None:
        self.results = replace(self.results, **changes)
        results.write(self.path, self.results)


def setting(config: Config, source: Source, compute: Compute) -> dict[str, Any]:
    """Everything that decides the figures of a benchmark but the seed."""
    network = network_for(config, len(source.classes))
    return {
        "config": {name: part for name, part in _deciding(config).items() if name != "seed"},
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "data": source.name,
        "fallback": source.is_fallback,
        "machine": machine.describe(compute),
    }


def _deciding(config: Config) -> dict[str, Any]:
    """The config without what decides no figure: where files go."""
    return config.model_dump(mode="json", exclude_none=True, exclude={"output"})


def seed_result(metrics: dict[str, Any], spent: Unfinished) -> SeedResult:
    """What the benchmark keeps of a finished run's `metrics.json`."""
    test, best = metrics["test"], metrics["best"] or {}
    return SeedResult(
        seed=spent.seed,
        **{name: test[name] for name in ("accuracy", "correct", "n", "loss")},
        epoch=best.get("epoch", 0),
        epochs=metrics["epochs"],
        validation_accuracy=best.get("validation_accuracy"),
        seconds=spent.seconds,
        cpu_seconds=spent.cpu_seconds,
    )
