"""The folder of a run: its files, and how a new one is created without overwriting another run."""

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
        """The checkpoint with the best weights: all that evaluation and prediction need."""
        return self.path / "model.safetensors"

    @property
    def state(self) -> Path:
        """Everything that `--resume` needs, from the last epoch or the last stop."""
        return self.path / "state.safetensors"

    @property
    def history(self) -> Path:
        """One line per epoch, each a JSON object."""
        return self.path / "history.jsonl"

    @property
    def config(self) -> Path:
        """The resolved config; `cnn train --config` with this file repeats the run."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """The figures on the test split. It is written last: a run with this file is finished."""
        return self.path / "metrics.json"

    @property
    def curve(self) -> Path:
        """The learning curve as a PNG."""
        return self.path / "learning_curve.png"

    @property
    def finished(self) -> bool:
        """Whether the run was trained to its end and tested."""
        return self.metrics.is_file()

    def read_metrics(self) -> dict[str, Any]:
        """Read the figures of the finished run.

        Raises:
            DataError: the file is damaged.
        """
        try:
            metrics = json.loads(self.metrics.read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"{self.metrics}: cannot be read: {error}") from None
        if not isinstance(metrics, dict):
            raise DataError(f"{self.metrics}: holds no figures of a run")
        return metrics

    def clear(self) -> None:
        """Remove the files of an earlier run, first the one that says that it is finished."""
        for path in (self.metrics, self.state, self.checkpoint, self.history, self.config, self.curve):
            path.unlink(missing_ok=True)


def create_run_folder(requested: Path, *, overwrite: bool = False) -> RunFolder:
    """Create a folder for a new run: `requested`, or if that has content `requested-2`, `requested-3` ...

    Two runs that start at the same time get different folders.

    Args:
        requested: the folder to use.
        overwrite: remove the run that is in `requested`.

    Raises:
        ConfigError: the folder cannot be created.
    """
    if os.path.isfile(requested):  # noqa: PTH113 (Path.is_file raises on a name that is too long)
        raise ConfigError(f"{requested}: is a file, not a folder for a run", hint="name a folder with --out")
    try:
        if overwrite and requested.is_dir():
            folder = RunFolder(requested)
            folder.clear()
            return folder
        for number in itertools.count(1):
            path = requested if number == 1 else _sibling(requested, number)
            if _create(path):
                return RunFolder(path)
    except OSError as error:
        raise ConfigError(
            f"{requested}: the run's folder cannot be created: {error.strerror or error}",
            hint="choose a writable folder with --out or output.folder",
        ) from None
    raise AssertionError("itertools.count has no end")


def _create(path: Path) -> bool:
    """Create the folder, or use an empty one that the user made. Return False if something is in it.

    If two runs find the folder empty, it belongs to the one that creates the config's file.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            return False
        RunFolder(path).config.touch(exist_ok=False)
    except FileExistsError:  # the path is a file, or the other run was faster
        return False
    return True


def _sibling(path: Path, number: int) -> Path:
    """Return `runs/a-2` for `runs/a`; `.` and `..` are resolved first, because they are not names."""
    named = path if path.name not in ("", "..") else path.resolve()
    return named.parent / f"{named.name}-{number}"


def checkpoint_file(path: Path) -> Path:
    """Return the checkpoint in a run's folder, or the path itself if it is not a folder.

    Raises:
        DataError: the folder has no checkpoint.
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
