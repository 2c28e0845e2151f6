"""The results file of a benchmark: finished runs of one setting, added one by one."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cnn_cli.config.differences import differences
from cnn_cli.errors import ConfigError, DataError
from cnn_cli.files import write_text
from cnn_cli.json_text import parse_json

KIND = "benchmark"
FORMAT = 2
"""Raised when a file of an older version could be misread."""

TIMES = ("seconds", "cpu_seconds")
"""Measured times: the only values that may differ between two files of the same benchmark."""


@dataclass(frozen=True)
class SeedResult:
    """The results of one finished run."""

    seed: int
    accuracy: float
    """On the test set, in 0..1."""
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
    """Of the epoch whose weights were kept; None without a validation set."""
    seconds: float
    """Of building, training, validation and test, over all starts, without opening the data. The time that a
    killed process had not saved yet is missing."""
    cpu_seconds: float
    """The same as CPU time of all threads."""


@dataclass(frozen=True)
class Unfinished:
    """The run that has started last, and the time it has taken so far."""

    seed: int
    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Results:
    """The content of the results file."""

    setting: dict[str, Any]
    """Everything except the seed that decides the results: config, data, device, versions, as JSON values."""
    runs: tuple[SeedResult, ...] = ()
    unfinished: Unfinished | None = None
    command: str = field(default="", compare=False)

    def with_run(self, run: SeedResult) -> "Results":
        """Return the results with one more run, sorted by seed."""
        runs = sorted((*self.runs, run), key=lambda result: result.seed)
        return replace(self, runs=tuple(runs), unfinished=None)


def summary(runs: Sequence[SeedResult]) -> dict[str, Any]:
    """Return mean and sample standard deviation over the seeds (None for one seed), and the total times."""
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
    """Write the results file atomically."""
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
        DataError: the file cannot be read, or is not a results file.
    """
    try:
        content = parse_json(path.read_text())
        if (content["kind"], content["format"]) != (KIND, FORMAT):
            raise ValueError(f"it is not a {KIND} of format {FORMAT}")
        unfinished = content.get("unfinished")
        return Results(
            setting=dict(content["setting"]),
            runs=tuple(SeedResult(**run) for run in content["runs"]),
            unfinished=Unfinished(**unfinished) if unfinished else None,
            command=content["command"],
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: is not a results file of cnn bench: {error}",
            hint="name a file that cnn bench wrote, or a new one",
        ) from None


def read_or_create(path: Path, setting: dict[str, Any], command: str) -> Results:
    """Return the results in the file at `path`, or empty ones if there is no such file.

    Raises:
        ConfigError: the file has results of another setting.
        DataError: it cannot be read.
    """
    setting = json.loads(json.dumps(setting))  # as it is read from the file: lists instead of tuples
    if not path.exists():
        return Results(setting, command=command)
    results = read(path)
    difference = next(differences(results.setting, setting), None)
    if difference:
        there, here = map(json.dumps, (difference.first, difference.second))
        raise ConfigError(
            f"{path}: holds results of another setting: {difference.key} is {there} there and {here} here",
            hint="choose another file with --out; results of two settings are never mixed",
        )
    return replace(results, command=command)
