"""A run's folder: what lies where, and that nobody's results are ever overwritten by accident."""

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_cli.errors import ConfigError, DataError


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The best weights: all that evaluation and prediction need."""
        return self.path / "model.safetensors"

    @property
    def state(self) -> Path:
        """Everything that `--resume` needs, from the last epoch or the last stop."""
        return self.path / "state.safetensors"

    @property
    def history(self) -> Path:
        """One JSON object a line, one line an epoch."""
        return self.path / "history.jsonl"

    @property
    def config(self) -> Path:
        """The resolved config: `cnn train --config` with this file repeats the run."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """The figures of the test. Written last: a run that has it is finished."""
        return self.path / "metrics.json"

    @property
    def curve(self) -> Path:
        """The learning curve."""
        return self.path / "learning_curve.png"

    @property
    def finished(self) -> bool:
        """Whether the run got to its end."""
        return self.metrics.is_file()

    def read_metrics(self) -> dict[str, Any]:
        """The figures of the finished run.

        Raises:
            DataError: the file is damaged.
        """
        try:
            metrics: dict[str, Any] = json.loads(self.metrics.read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"{self.metrics}: cannot be read: {error}") from None
        return metrics

    def clear(self) -> None:
        """Remove the files of an earlier run, the one that calls it finished first."""
        for path in (self.metrics, self.state, self.checkpoint, self.history, self.config, self.curve):
            path.unlink(missing_ok=True)


def create_run_folder(wanted: Path, *, overwrite: bool = False) -> RunFolder:
    """A folder for a new run: `wanted`, or where that has content `wanted-2`, `wanted-3` ...

    The folder is made here, so of two runs that start at once each gets its own.

    Args:
        wanted: the folder to use.
        overwrite: clear the run that is in `wanted`.

    Raises:
        ConfigError: the folder cannot be made.
    """
    if os.path.isfile(wanted):  # noqa: PTH113 (Path.is_file raises on a name that is too long)
        raise ConfigError(f"{wanted}: is a file, not a folder for a run", hint="name a folder with --out")
    try:
        if overwrite and wanted.is_dir():
            folder = RunFolder(wanted)
            folder.clear()
            return folder
        for number in itertools.count(1):
            path = wanted if number == 1 else _sibling(wanted, number)
            if _take(path):
                return RunFolder(path)
    except OSError as error:
        raise ConfigError(
            f"{wanted}: cannot be made the run's folder: {error.strerror or error}",
            hint="choose a folder that can be written to with --out or output.folder",
        ) from None
    raise AssertionError("itertools.count has no end")


def _take(path: Path) -> bool:
    """Make the folder, or use an empty one that the user made; False where something is in it.

    Of two runs that find the folder empty, the one that makes the config's file has it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            return False
        RunFolder(path).config.touch(exist_ok=False)
    except FileExistsError:  # the path is a file, or the other run was quicker
        return False
    return True


def _sibling(path: Path, number: int) -> Path:
    """`runs/a-2` beside `runs/a`; `.` and `..` have a name only once they are resolved."""
    named = path if path.name not in ("", "..") else path.resolve()
    return named.parent / f"{named.name}-{number}"


def checkpoint_file(path: Path) -> Path:
    """The checkpoint of a run's folder; a file is its own.

    Raises:
        DataError: the folder has none.
    """
    if not os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises on a name that is too long)
        return path
    checkpoint = RunFolder(path).checkpoint
    if not checkpoint.is_file():
        raise DataError(
            f"{path}: has no {checkpoint.name} (a run writes it after its first epoch)",
            hint="name a run's folder or a .safetensors file that cnn train wrote",
        )
    return checkpoint
