"""Shell completion: the names of configs, checkpoints and data sets.

It runs at every press of the Tab key, so it imports neither torch nor pydantic.
"""

from collections.abc import Iterable
from typing import get_args

from cnn_cli.config.choices import DataName


def config_names(incomplete: str) -> list[str]:
    """Return the names of the configs that start with what was typed."""
    from cnn_cli.config.catalog import names

    return _starting_with(incomplete, (entry.name for entry in names()))


def checkpoint_names(incomplete: str) -> list[str]:
    """Return the run folders and the networks that ship which start with what was typed."""
    from cnn_cli.checkpoint.choose import RUNS, run_folders, shipped_names

    return _starting_with(incomplete, (*map(str, run_folders(RUNS)), *shipped_names()))


def data_set_names(incomplete: str) -> list[str]:
    """Return the names of the data sets that start with what was typed."""
    return _starting_with(incomplete, get_args(DataName))


def _starting_with(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
