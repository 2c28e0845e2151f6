"""The results file of a benchmark: one run after the other is added, all of one setting."""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cnn_cli.errors import ConfigError, DataError
from cnn_cli.files import write_text

KIND = "benchmark"
FORMAT = 2
"""Raised when a file of an older version could be misread."""

TIMES = ("seconds", "cpu_seconds")
"""What is measured with a clock: all that may differ between two files of the same benchmark."""


@dataclass(frozen=True)
class SeedResult:
    """One finished run."""

    seed: int
    accuracy: float
    """On the test set, 0..1."""
    correct: int
    n: int
    """Test images."""
    loss: float
    """On the test set, in nats."""
    epoch: int
    """The epoch whose weights were kept."""
    epochs: int
    """Epochs trained."""
    validation_accuracy: float | None
    """Of the epoch that was kept; None without a validation set."""
    seconds: float
    """Building, training, validation and test, over all starts: what a killed process had not yet noted is
    missing. Opening the data does not count."""
    cpu_seconds: float
    """The same in processor time of all threads."""


@dataclass(frozen=True)
class Unfinished:
    """The run that was begun last, and what it has taken so far."""

    seed: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Results:
    """What the file holds."""

    setting: dict[str, Any]
    """Everything that decides the figures but the seed: config, data, device, versions; values of JSON."""
    runs: tuple[SeedResult, ...] = ()
    unfinished: Unfinished | None = None
    command: str = field(default="", compare=False)

    def finished(self, run: SeedResult) -> "Results":
        """With one more run, in the order of the seeds."""
        runs = sorted((*self.runs, run), key=lambda each: each.seed)
        return replace(self, runs=tuple(runs), unfinished=None)


def summary(runs: Sequence[SeedResult]) -> dict[str, Any]:
    """Mean and sample standard deviation over the seeds (None for one), and what all of them took."""
    return {
        "accuracy": _spread([run.accuracy for run in runs]),
        "loss": _spread([run.loss for run in runs]),
        "seconds": sum(run.seconds for run in runs),
        "cpu_seconds": sum(run.cpu_seconds for run in runs),
    }


def _spread(values: list[float]) -> dict[str, float | None]:
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.mean(values), "deviation": deviation}


def write(path: Path, results: Results) -> None:
    """Write the file atomically."""
    content: dict[str, Any] = {"kind": KIND, "format": FORMAT, "command": results.command}
    if results.runs:
        content["summary"] = summary(results.runs)
    content["runs"] = [vars(run) for run in results.runs]
    if results.unfinished:
        content["unfinished"] = vars(results.unfinished)
    write_text(path, json.dumps(content | {"setting": results.setting}, indent=2) + "\n")


def read(path: Path) -> Results:
    """Read a results file.

    Raises:
        DataError: it cannot be read, or is none.
    """
    try:
        content = json.loads(path.read_text())
        if (content["kind"], content["format"]) != (KIND, FORMAT):
            raise ValueError(f"it is no {KIND} of format {FORMAT}")
        unfinished = content.get("unfinished")
        return Results(
            setting=dict(content["setting"]),
            runs=tuple(SeedResult(**run) for run in content["runs"]),
            unfinished=Unfinished(**unfinished) if unfinished else None,
            command=content["command"],
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: is not a results file of cnn bench: {error}", hint="choose another file with --out"
        ) from None


def continued(path: Path, setting: dict[str, Any], command: str) -> Results:
    """The results at `path` where that file exists, else none yet; both for `setting`.

    Raises:
        ConfigError: the file holds results of another setting.
        DataError: it cannot be read.
    """
    setting = json.loads(json.dumps(setting))  # as it comes back from the file: lists for tuples
    if not path.exists():
        return Results(setting, command=command)
    results = read(path)
    difference = next(_differences(results.setting, setting), None)
    if difference:
        raise ConfigError(
            f"{path}: holds results of another setting: {difference}",
            hint="choose another file with --out; results of two settings are never mixed",
        )
    return replace(results, command=command)


def _differences(there: Any, here: Any, place: str = "") -> Iterator[str]:
    """Where two values of JSON differ, in words: `config.train.epochs is 12 there and 3 here`."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in there | here:
            yield from _differences(there.get(key), here.get(key), f"{place}.{key}".removeprefix("."))
    elif there != here:
        yield f"{place} is {json.dumps(there)} there and {json.dumps(here)} here"
