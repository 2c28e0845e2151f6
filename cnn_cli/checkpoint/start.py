"""The trained network that a config starts from: the checkpoint, and what the config takes over from it."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_cli.config import document
from cnn_cli.config.dump import dump
from cnn_cli.config.fields import PER_CLASS
from cnn_cli.config.schema import Config
from cnn_cli.config.tree import Node
from cnn_cli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from cnn_cli.checkpoint.file import Checkpoint
    from cnn_cli.checkpoint.parent import Parent

TAKEN = ("preprocessing", "channels", "size", "mean", "std", "augment")
"""Settings of `data` that belong to a trained network: what an input is, and how it varies."""


def parent_of(tree: Node) -> Node | None:
    """Return the settings that a config takes over from the checkpoint that its `train.start` names.

    These are its network and the settings `TAKEN`. They count where the config says nothing else.

    Args:
        tree: the config, not checked yet.

    Returns:
        A tree of the sections `data` and `model`; None if the config starts from no checkpoint.

    Raises:
        ConfigError: there is no such checkpoint, or it cannot be read.
    """
    train = tree.child("train")
    start = train.child("start") if train else None
    if start is None or not isinstance(start.value, str):
        return None  # the schema refuses what is no text
    try:
        checkpoint = read_start(start.value)
    except DataError as error:
        raise ConfigError(f"{start.position.of('train.start')}: {error.message}", hint=error.hint) from None
    whole = document.parse(dump(_settings(checkpoint)), str(checkpoint.path))
    data, model = whole.child("data"), whole.child("model")
    assert data is not None
    assert model is not None
    taken = {key: node for key in TAKEN if (node := data.child(key)) is not None}
    sections = {"data": Node(taken, data.position, data.key), "model": model}
    return Node(sections, whole.position, whole.key)


def read_start(name: str) -> "Checkpoint":
    """Read the checkpoint that `train.start` names.

    Raises:
        DataError: there is none, or it cannot be read, or it is an ONNX file, which cannot be trained.
    """
    from cnn_cli.checkpoint.choose import choose_checkpoint  # NumPy: not for a config that starts from none
    from cnn_cli.checkpoint.file import read

    checkpoint = read(choose_checkpoint(Path(name)))
    if checkpoint.onnx is not None:
        raise DataError(
            f"{checkpoint.path}: is an ONNX file, which cannot be trained",
            hint="name the checkpoint that it was made of",
        )
    return checkpoint


def as_parent(name: str, checkpoint: "Checkpoint") -> "Parent":
    """Return what the checkpoint of a run records of the one that it started from."""
    from cnn_cli.checkpoint.parent import Parent

    assert checkpoint.path is not None
    digest = hashlib.sha256(checkpoint.path.read_bytes()).hexdigest()
    return Parent(name, digest, checkpoint.data, checkpoint.metrics.get("test_accuracy"))


def _settings(checkpoint: "Checkpoint") -> Config:
    """Return the checkpoint's config with its preprocessing as settings, and a last layer for any classes."""
    config, preprocessing = checkpoint.config, checkpoint.preprocessing
    measured = {"preprocessing": preprocessing.kind, "mean": preprocessing.mean, "std": preprocessing.std}
    values: dict[str, Any] = config.model_dump(mode="json", exclude_none=True)
    values["data"] |= measured
    values["model"] = {"layers": _for_any_classes(values["model"]["layers"], len(checkpoint.classes))}
    return Config.model_validate(values)


def _for_any_classes(layers: list[Any], classes: int) -> list[Any]:
    """Return the layers with one output per class at the end, where a number was written for it."""
    match layers:
        case [*others, {"linear": {"out": out, **rest}}] if out == classes:
            return [*others, {"linear": {**rest, "out": PER_CLASS}}]
    return layers
