"""The folder of a run and its files."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_cli.errors import DataError
from cnn_cli.files import remove_leftovers, sync_folder
from cnn_cli.json_text import parse_json


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path
    replaces: Path | None = None
    """The folder of the run that this one replaces when it is finished; None for all but `--overwrite`."""

    @property
    def home(self) -> Path:
        """The folder that people name: where the files of the finished run are."""
        return self.replaces or self.path

    @property
    def replacement(self) -> "RunFolder":
        """The run that `--overwrite` trains beside this one, until it is finished."""
        return RunFolder(self.path / ".new", replaces=self.path)

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
            metrics = parse_json(self.metrics.read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"{self.metrics}: cannot be read: {error}") from None
        if not isinstance(metrics, dict):
            raise DataError(f"{self.metrics}: holds no figures of a run")
        return metrics

    @property
    def reads_lines(self) -> bool:
        """Whether the network of the finished run reads lines instead of single images."""
        try:
            return "character_error_rate" in self.read_metrics()["test"]
        except (DataError, KeyError, TypeError):
            return False  # damaged figures say nothing, and the checkpoint may be whole

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, in an order in which they may appear: from the state the others can be made again."""
        return self.state, self.checkpoint, self.history, self.curve, self.config, self.metrics

    def clear(self) -> None:
        """Remove the files of an earlier run, first the one that says that it is finished."""
        for path in reversed(self.files):
            path.unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove what killed processes left behind; the caller is the only one that writes here."""
        for path in self.files:
            remove_leftovers(path)

    def publish(self) -> "RunFolder":
        """Put a finished run in the place of the one that it replaces, and return the folder of people.

        Killed at any moment and called again, it ends with the new run. Until its state is in place, the old
        run's can be resumed; from then on the new one's.
        """
        if self.replaces is None:
            return self
        old = RunFolder(self.replaces)
        if self.state.is_file():  # nothing is in its place yet
            old.metrics.unlink(missing_ok=True)  # from here on it is true of neither run
            old.curve.unlink(missing_ok=True)  # the new run may have none
        for new, place in zip(self.files, old.files, strict=True):
            if new.is_file():
                new.replace(place)
                sync_folder(place.parent)
        shutil.rmtree(self.path, ignore_errors=True)
        return old


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
