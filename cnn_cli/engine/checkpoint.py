"""The checkpoint: one file that holds all that evaluation and prediction need, and nothing that can run."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pydantic
import torch
from torch import Tensor, nn

import cnn_cli
from cnn_cli.config.schema import Config
from cnn_cli.data.inputs import Preparation
from cnn_cli.data.source import Reading
from cnn_cli.engine import build, tensorfile
from cnn_cli.engine.device import keep_memory, memory_format
from cnn_cli.errors import ConfigError, DataError

KIND = "checkpoint"
FORMAT = 1
"""Raised when a file of an older version could be misread."""


@dataclass(frozen=True)
class Checkpoint:
    """A trained network with its past."""

    weights: dict[str, Tensor]
    """Parameters and buffers of the network by name."""
    config: Config
    """The resolved config of its training."""
    classes: tuple[str, ...]
    """Name of each logit's class."""
    data: str
    """What it was really trained on; differs from `config.data.name` after a fallback."""
    preparation: Preparation
    """How a picture becomes an input."""
    temperature: float = 1.0
    """What divides the logits before softmax makes probabilities of them."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Figures of the validation and, once it has been evaluated, of the test."""
    path: Path | None = None
    """The file that it was read from."""

    def network(self) -> nn.Sequential:
        """The network with its weights, ready for evaluation.

        Raises:
            DataError: the weights do not fit the network of the config.
        """
        try:
            network = build.network(self.config, len(self.classes))
            network.load_state_dict(self.weights)
        except (ConfigError, RuntimeError) as error:
            where = self.path or "the checkpoint"
            raise DataError(f"{where}: its weights do not fit its config: {_one_line(error)}") from None
        keep_memory()
        return network.eval().to(memory_format=memory_format(self.config.train.channels_last))

    def probabilities(self, logits: Tensor) -> Tensor:
        """Calibrated probabilities float64 [N, C] of the network's logits [N, C]."""
        return torch.softmax(logits.double() / self.temperature, 1)


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically; equal checkpoints give equal bytes."""
    header = {
        "kind": KIND,
        "format": FORMAT,
        "config": checkpoint.config.model_dump(mode="json", exclude_none=True),
        "classes": checkpoint.classes,
        "data": checkpoint.data,
        "preparation": asdict(checkpoint.preparation),
        "temperature": checkpoint.temperature,
        "metrics": checkpoint.metrics,
        "versions": versions(),
    }
    tensorfile.write(path, checkpoint.weights, header)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint file, onto the CPU.

    Raises:
        DataError: it is absent, damaged, not a checkpoint, or its parts do not fit together.
    """
    weights, header = tensorfile.read(path, KIND, FORMAT)
    try:
        config = Config.model_validate(header["config"])
        return Checkpoint(
            weights=weights,
            config=config,
            classes=tuple(map(str, header["classes"])),
            data=str(header["data"]),
            preparation=_preparation(header["preparation"], config),
            temperature=_temperature(header.get("temperature", 1.0)),  # the first files have none
            metrics=dict(header["metrics"]),
            path=path,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: its header cannot be used: {_one_line(error)}") from None


def _preparation(values: dict[str, Any], config: Config) -> Preparation:
    """The stored preparation, checked: a damaged one would show only as wrong answers."""
    channels = config.data.channels
    pairs = {key: _per_channel(values[key], channels) for key in ("mean", "std")}
    others = {key: value for key, value in values.items() if key != "channels"}  # the first files have it
    preparation = Preparation(**others | pairs)
    fits = preparation.channels == channels and preparation.size == config.data.size
    numbers = all(map(math.isfinite, preparation.mean)) and all(0 < std < math.inf for std in preparation.std)
    if not (fits and numbers and preparation.reading in get_args(Reading)):
        raise ValueError(f"the preparation {values} does not fit an input of {config.data.size} pixels")
    return preparation


def _temperature(value: Any) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"the temperature is {value}")
    return float(value)


def _per_channel(numbers: Any, channels: int) -> tuple[float, ...]:
    """A number for each channel. The first files have one for all."""
    return tuple(numbers) if isinstance(numbers, list) else (numbers,) * channels


def versions() -> dict[str, str]:
    """What wrote the file: the program and the libraries that decide its numbers."""
    return {"cnn": cnn_cli.__version__, "torch": torch.__version__, "numpy": np.__version__}


def _one_line(error: Exception) -> str:
    if isinstance(error, pydantic.ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return " ".join(str(error).split())
