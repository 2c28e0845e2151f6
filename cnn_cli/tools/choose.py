"""Which checkpoint a command uses when the user names none."""

import os
from collections.abc import Sequence
from pathlib import Path

from cnn_cli.engine.folder import RunFolder, checkpoint_file
from cnn_cli.resources import packaged

RUNS = Path("checkpoints")
"""Where `cnn train` puts its runs, in the working folder."""

SHIPPED = "lenet.safetensors"


def choose_checkpoint(named: Path | None) -> Path:
    """The checkpoint file: `named`, else $CNN_CHECKPOINT, else the newest finished run, else the shipped one.

    Args:
        named: a checkpoint file or a run's folder.

    Raises:
        DataError: what was named is not there.
    """
    chosen = named or _from_environment()
    if chosen is not None:
        return checkpoint_file(chosen)
    return newest_run(RUNS) or packaged("pretrained") / SHIPPED


def choose_checkpoints(named: Sequence[Path]) -> list[Path]:
    """The checkpoint files of all that are named, else the one that is used where none is."""
    return [choose_checkpoint(path) for path in named] or [choose_checkpoint(None)]


def newest_run(runs: Path) -> Path | None:
    """The checkpoint of the run in `runs` that finished last, or None."""
    folders = map(RunFolder, runs.glob("*/"))
    finished = [folder for folder in folders if folder.finished and folder.checkpoint.is_file()]
    if not finished:
        return None
    return max(finished, key=lambda folder: folder.metrics.stat().st_mtime_ns).checkpoint


def _from_environment() -> Path | None:
    chosen = os.environ.get("CNN_CHECKPOINT")
    return Path(chosen) if chosen else None
