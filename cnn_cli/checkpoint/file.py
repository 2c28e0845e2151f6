"""The checkpoint file: everything that evaluation and prediction need, and no executable code."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from cnn_cli.checkpoint import onnxfile, tensorfile
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config.schema import Config
from cnn_cli.errors import DataError
from cnn_cli.text import one_line

KIND = "checkpoint"
FORMAT = 2
"""The format number. It is raised when a program could misread files of the format before."""


@dataclass(frozen=True)
class Checkpoint:
    """A trained network with everything that is known about it."""

    weights: dict[str, np.ndarray]
    """Parameters and buffers of the network by name."""
    config: Config
    """The resolved config of its training."""
    classes: tuple[str, ...]
    """The class name of each logit."""
    data: str
    """The data that it was trained on; after a fallback this is not `config.data.name`."""
    preprocessing: Preprocessing
    """How an image becomes the network's input."""
    temperature: float = 1.0
    """Divides the logits before the softmax (calibration)."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Figures on the validation split and, after the test, on the test split."""
    versions: dict[str, str] = field(default_factory=dict)
    """Versions of the program and of the libraries that decided its numbers."""
    path: Path | None = None
    """The file that it was read from."""
    onnx: bytes | None = field(default=None, repr=False)
    """The content of that file if it is an ONNX file: it computes the network, and there are no weights."""

    def __post_init__(self) -> None:
        """Reject impossible numbers, and parts that do not fit together."""
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"the temperature is {self.temperature}")
        data = self.config.data
        if self.preprocessing.input_shape != data.input_shape:
            raise ValueError(f"its preprocessing does not fit an input of {data.size} pixels")


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically. Equal checkpoints give equal bytes."""
    tensorfile.write(path, checkpoint.weights, header_of(checkpoint))


def header_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return everything but the weights as JSON values."""
    return {
        "kind": KIND,
        "format": FORMAT,
        "config": checkpoint.config.model_dump(mode="json", exclude_none=True),
        "classes": checkpoint.classes,
        "data": checkpoint.data,
        "preprocessing": checkpoint.preprocessing.fields(),
        "temperature": checkpoint.temperature,
        "metrics": checkpoint.metrics,
        "versions": checkpoint.versions,
    }


def read(path: Path) -> Checkpoint:
    """Read a checkpoint file, or an ONNX file that was made of one.

    Raises:
        DataError: it is missing, damaged, not a checkpoint, or its parts do not fit together.
        CnnError: it is an ONNX file, and the package onnx is not installed.
    """
    weights: dict[str, np.ndarray] = {}
    onnx = None
    if path.suffix == onnxfile.SUFFIX:
        onnx, header = onnxfile.read(path, KIND, FORMAT)
    else:
        weights, header = tensorfile.read(path, KIND, FORMAT)
    try:
        return Checkpoint(
            weights=weights,
            config=Config.model_validate(header["config"]),
            classes=tuple(map(str, header["classes"])),
            data=str(header["data"]),
            preprocessing=_preprocessing(header["preprocessing"]),
            temperature=float(header["temperature"]),
            metrics=dict(header["metrics"]),
            versions=dict(header["versions"]),
            path=path,
            onnx=onnx,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: its header cannot be used: {_first_problem(error)}") from None


def _preprocessing(values: Mapping[str, Any]) -> Preprocessing:
    pairs = {key: tuple(map(float, values[key])) for key in ("mean", "std")}
    return Preprocessing(**{**values, **pairs})


def _first_problem(error: Exception) -> str:
    if isinstance(error, pydantic.ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return one_line(error)
