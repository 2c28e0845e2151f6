"""The checkpoint file: everything that evaluation and prediction need, and no executable code."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from cnn_cli.checkpoint import onnxfile, tensorfile
from cnn_cli.checkpoint.parent import Parent
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config.schema import Config
from cnn_cli.errors import CnnError, DataError
from cnn_cli.text import one_line

KIND = "checkpoint"
FORMAT = 2
"""The format number. It is raised when a program could misread files of the format before."""

_DIVERGED = "the training has diverged: lower train.lr, or set train.clip_norm=1"
_RETRAIN = "its weights are damaged, or its training diverged: use another checkpoint"

TEMPERATURES = (1e-3, 1e3)
"""The temperatures that a checkpoint may have; calibration gives 0.1 to 10. Logits divided by a far smaller
one are infinite, and their probabilities no numbers."""

BATCHES = "num_batches_tracked"
"""The end of the names of the tensors in which batch normalization counts batches: the only whole numbers."""


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
    parent: Parent | None = None
    """The checkpoint that its training started from; None if it started from random weights."""
    path: Path | None = None
    """The file that it was read from."""
    onnx: bytes | None = field(default=None, repr=False)
    """The content of that file if it is an ONNX file: it computes the network, and there are no weights."""

    def __post_init__(self) -> None:
        """Reject impossible numbers, and parts that do not fit together."""
        least, most = TEMPERATURES
        if not least <= self.temperature <= most:
            raise ValueError(f"the temperature is {self.temperature}, not in {least:g} to {most:g}")
        data = self.config.data
        if self.preprocessing.input_shape != data.input_shape:
            raise ValueError(f"its preprocessing does not fit an input of {data.size} pixels")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("two of its classes have the same name")


def _check_numbers(checkpoint: Checkpoint) -> None:
    """Reject figures and weights that are not finite, which would only lead to wrong answers."""
    for name, value in checkpoint.metrics.items():
        if value is not None and not math.isfinite(value):
            raise ValueError(f"its {name} is {value}")
    for name, array in checkpoint.weights.items():
        _check_weights(name, array)


def _check_weights(name: str, array: np.ndarray) -> None:
    """Reject weights that are not numbers for a network; the number of batches is a count, and not used."""
    if name.endswith(BATCHES) and array.dtype.kind in "iu":
        return
    if array.dtype.kind != "f":
        raise ValueError(f"the tensor {name} is of type {array.dtype}, but weights are floats")
    with np.errstate(over="ignore"):
        if not np.isfinite(array.astype(np.float32, copy=False)).all():
            raise ValueError(f"the tensor {name} holds NaN or infinity")


def not_finite(checkpoint: Checkpoint) -> DataError:
    """Return the error about a network whose outputs are not finite numbers, although its weights are."""
    place = checkpoint.path or "the checkpoint"
    return DataError(f"{place}: its network computes numbers that are not finite", hint=_RETRAIN)


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically. Equal checkpoints give equal bytes.

    Raises:
        CnnError: its numbers are not finite; the file is as it was.
    """
    try:
        _check_numbers(checkpoint)
    except ValueError as error:
        raise CnnError(f"{path}: is not written: {error}", hint=_DIVERGED) from None
    tensorfile.write(path, checkpoint.weights, header_of(checkpoint))


def header_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return everything but the weights as JSON values."""
    header = {
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
    return header | ({"parent": asdict(checkpoint.parent)} if checkpoint.parent else {})


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
        checkpoint = Checkpoint(
            weights=weights,
            config=Config.model_validate(header["config"]),
            classes=tuple(map(str, header["classes"])),
            data=str(header["data"]),
            preprocessing=_preprocessing(header["preprocessing"]),
            temperature=float(header["temperature"]),
            metrics=dict(header["metrics"]),
            versions=dict(header["versions"]),
            parent=Parent.from_header(header.get("parent")),
            path=path,
            onnx=onnx,
        )
        _check_numbers(checkpoint)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{path}: its header cannot be used: {_first_problem(error)}") from None
    return checkpoint


def _preprocessing(values: Mapping[str, Any]) -> Preprocessing:
    pairs = {key: tuple(map(float, values[key])) for key in ("mean", "std")}
    return Preprocessing(**{**values, **pairs})


def _first_problem(error: Exception) -> str:
    if isinstance(error, pydantic.ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return one_line(error)
