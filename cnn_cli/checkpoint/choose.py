"""Which checkpoint a command uses."""

import os
from collections.abc import Sequence
from pathlib import Path

from cnn_cli.checkpoint.run_folder import RunFolder, checkpoint_file
from cnn_cli.resources import packaged

RUNS = Path("checkpoints")
"""The folder below the working folder in which `cnn train` puts its runs."""

SHIPPED = "reader"
"""The network that ships and is used by default."""

SHIPPED_FOR_LINES = "line"
"""The same for lines of digits."""


def choose_checkpoint(named: Path | None, *, lines: bool | None = None) -> Path:
    """Return the checkpoint file: `named`, $CNN_CHECKPOINT, the newest finished run, or the one that ships.

    The first of these that there is counts.

    Args:
        named: a checkpoint file, a run's folder, or the name of a network that ships.
        lines: which runs count: True for networks that read lines, False for single images, None for both.

    Raises:
        DataError: the run's folder has no checkpoint.
    """
    chosen = named or _from_environment()
    if chosen is None:
        return newest_run(RUNS, lines=lines) or shipped(SHIPPED_FOR_LINES if lines else SHIPPED)
    return shipped(chosen.name) if _ships(chosen) else checkpoint_file(chosen)


def shipped(name: str = SHIPPED) -> Path:
    """Return the file of the network that ships under this name; whether there is one is not checked."""
    return packaged("pretrained") / f"{name}.safetensors"


def shipped_names() -> list[str]:
    """Return the names of the networks that ship."""
    return sorted(path.stem for path in packaged("pretrained").glob("*.safetensors"))


def run_folders(runs: Path) -> list[Path]:
    """Return the folders in `runs` that hold a checkpoint, by name."""
    return sorted(path.parent for path in runs.glob("*/model.safetensors"))


def _ships(name: Path) -> bool:
    """Return whether a network ships under this name. A file or folder in the working folder has priority."""
    alone = len(name.parts) == 1 and not os.path.exists(name)  # noqa: PTH110 (Path's raises on a long name)
    return alone and os.path.isfile(shipped(name.name))  # noqa: PTH113 (so does this one)


def choose_checkpoints(named: Sequence[Path], *, lines: bool | None = None) -> list[Path]:
    """Return the checkpoint files of all names, or the default one if there is no name."""
    return [choose_checkpoint(path) for path in named] or [choose_checkpoint(None, lines=lines)]


def newest_run(runs: Path, *, lines: bool | None = None) -> Path | None:
    """Return the checkpoint of the run in `runs` that finished last, or None.

    Args:
        runs: a folder of runs.
        lines: which runs count: True for networks that read lines, False for single images, None for both.
    """
    folders = map(RunFolder, runs.glob("*/"))
    finished = [folder for folder in folders if folder.finished and folder.checkpoint.is_file()]
    for folder in sorted(finished, key=lambda folder: -folder.metrics.stat().st_mtime_ns):
        if lines is None or folder.reads_lines == lines:
            return folder.checkpoint
    return None


def _from_environment() -> Path | None:
    chosen = os.environ.get("CNN_CHECKPOINT")
    return Path(chosen) if chosen else None
