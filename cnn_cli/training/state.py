"""The saved state of a run: everything that another process needs to continue it bit for bit."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnn_cli.checkpoint import tensorfile
from cnn_cli.checkpoint.parent import Parent
from cnn_cli.checkpoint.run_folder import RunFolder
from cnn_cli.config.schema import Config
from cnn_cli.errors import DataError
from cnn_cli.text import one_line

KIND = "training state"
FORMAT = 2
"""Raised when a state of an older version could be misread."""


@dataclass(frozen=True)
class SavedState:
    """Everything that a run needs to continue."""

    path: Path
    config: Config
    data: str
    """What the run was actually trained on."""
    arithmetic: str
    """What decides the last bits of its numbers: device, number format, threads, version of torch."""
    tensors: dict[str, torch.Tensor]
    loop: dict[str, Any]
    """The values of `TrainingLoop.state`."""
    parent: Parent | None = None
    """The checkpoint that the run started from."""


def write_state(state: SavedState) -> None:
    """Write a state atomically to its path."""
    header = {
        "kind": KIND,
        "format": FORMAT,
        "config": state.config.model_dump(mode="json", exclude_none=True),
        "data": state.data,
        "arithmetic": state.arithmetic,
        "loop": state.loop,
        "parent": asdict(state.parent) if state.parent else None,
    }
    tensorfile.write(state.path, to_arrays(state.tensors), header)


def read_state(folder: RunFolder) -> SavedState:
    """Read the saved state of a run.

    Raises:
        DataError: there is none, or it is damaged.
    """
    if not folder.path.is_dir():
        raise DataError(f"{folder.path}: there is no such run", hint="--resume takes the folder of a run")
    if not folder.state.is_file():
        raise DataError(
            f"{folder.path}: has no {folder.state.name} to go on from (a run writes it after its first epoch)"
        )
    arrays, header = tensorfile.read(folder.state, KIND, FORMAT)
    try:
        return SavedState(
            path=folder.state,
            config=Config.model_validate(header["config"]),
            data=str(header["data"]),
            arithmetic=str(header["arithmetic"]),
            tensors={name: torch.from_numpy(array) for name, array in arrays.items()},
            loop=dict(header["loop"]),
            parent=Parent.from_header(header.get("parent")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder.state}: its header cannot be used: {one_line(error)}") from None


def to_arrays(tensors: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Return the tensors as NumPy arrays on the CPU, as files store them."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
