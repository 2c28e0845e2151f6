"""Which checkpoint a command uses when the user names none."""

import os
from collections.abc import Sequence
from pathlib import Path

from cnn_cli.checkpoint.run_folder import RunFolder, checkpoint_file
from cnn_cli.resources import packaged

RUNS = Path("checkpoints")
"""Where `cnn train` puts its runs, in the working folder."""

SHIPPED = "reader"
"""The network that reads where nobody says which."""


def choose_checkpoint(named: Path | None) -> Path:
    """The checkpoint file: `named`, else $CNN_CHECKPOINT, else the newest finished run, else the shipped one.

    Args:
        named: a checkpoint file, a run's folder, or the name of a network that ships.

    Raises:
        DataError: the run's folder has no checkpoint.
    """
    chosen = named or _from_environment()
    if chosen is None:
        return newest_run(RUNS) or shipped()
    return shipped(chosen.name) if _ships(chosen) else checkpoint_file(chosen)


def shipped(name: str = SHIPPED) -> Path:
    """Where the network of that name lies, if one ships."""
    return packaged("pretrained") / f"{name}.safetensors"


def _ships(name: Path) -> bool:
    """Whether it is the name of a network that ships. What lies in the working folder comes first."""
    alone = len(name.parts) == 1 and not os.path.exists(name)  # noqa: PTH110 (Path's raises on a long name)
    return alone and os.path.isfile(shipped(name.name))  # noqa: PTH113 (so does this one)


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
