"""The first weights of a run: drawn at random, or those of a trained network as far as the classes agree."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.checkpoint.parent import Parent
from cnn_cli.checkpoint.start import as_parent, read_start
from cnn_cli.config.schema import Config
from cnn_cli.errors import NetworkError
from cnn_cli.model.build import initialize
from cnn_cli.model.modules import Auxiliary
from cnn_cli.model.shapes import Shape, describe
from cnn_cli.training.freeze import check_freeze
from cnn_cli.training.seeds import derive


@dataclass(frozen=True)
class Start:
    """What a network started from."""

    parent: Parent
    heads: tuple[str, ...]
    """Layers with one output for each class, which were made anew; none if the classes are the parent's."""
    kept: tuple[str, ...]
    """Classes that the parent has too: their outputs keep its weights."""
    new: tuple[str, ...]
    """The other classes."""


def first_weights(network: nn.Sequential, config: Config, classes: Sequence[str]) -> Start | None:
    """Set the weights that a run starts with.

    Args:
        network: its weights are uninitialized memory.
        config: `train.start` names the checkpoint to start from.
        classes: the names of the classes, one for each output of the network.

    Returns:
        What was taken over; None without a checkpoint.

    Raises:
        NetworkError: the weights do not fit the network, or `train.freeze` does not.
        DataError: the checkpoint cannot be read.
    """
    initialize(network, derive(config.seed, "weights"))
    if config.train.start is None:
        return None
    checkpoint = read_start(config.train.start)
    heads = () if checkpoint.classes == tuple(classes) else tuple(_heads(network))
    check_freeze(network, config.train.freeze, new_layers=heads)
    _load(network, checkpoint, classes, heads)
    kept = tuple(name for name in classes if name in checkpoint.classes)
    return Start(
        parent=as_parent(config.train.start, checkpoint),
        heads=heads,
        kept=kept,
        new=tuple(name for name in classes if name not in kept),
    )


def _load(network: nn.Module, checkpoint: Checkpoint, classes: Sequence[str], heads: Sequence[str]) -> None:
    """Copy the checkpoint's weights; of `heads`, only those of the classes that both have."""
    theirs = {name: torch.from_numpy(array) for name, array in checkpoint.weights.items()}
    ours = network.state_dict()
    _check_names(ours, theirs, checkpoint)
    rows = [index for index, name in enumerate(classes) if name in checkpoint.classes]
    their_rows = [checkpoint.classes.index(classes[index]) for index in rows]
    for name, target in ours.items():
        by_class = name.rpartition(".")[0] in heads and target.ndim > 0
        expected = (len(checkpoint.classes), *target.shape[1:]) if by_class else tuple(target.shape)
        _check_shape(name, theirs[name], expected, checkpoint)
        if by_class:
            target[rows] = theirs[name][their_rows]
        else:
            target.copy_(theirs[name])


def _heads(network: nn.Module) -> list[str]:
    """Return the layers with one output for each class: at the end of the network and of its classifiers.

    They are the last linear layer or convolution of each, and the layers with weights behind it.
    """
    layers = [
        (name, module) for name, module in network.named_modules() if list(module.parameters(recurse=False))
    ]
    beside = [name for name, module in network.named_modules() if isinstance(module, Auxiliary)]
    chains = [[layer for layer in layers if layer[0].startswith(f"{classifier}.")] for classifier in beside]
    main = [layer for layer in layers if not layer[0].startswith(tuple(f"{name}." for name in beside))]
    return [name for chain in (main, *chains) for name in _end(chain)]


def _end(layers: Sequence[tuple[str, nn.Module]]) -> list[str]:
    """Return the names of the last linear layer or convolution, and of the layers behind it."""
    sums = [index for index, (_, module) in enumerate(layers) if isinstance(module, nn.Linear | nn.Conv2d)]
    return [name for name, _ in layers[sums[-1] :]] if sums else []


def _check_names(ours: Collection[str], theirs: Collection[str], checkpoint: Checkpoint) -> None:
    missing = [name for name in ours if name not in theirs] or [name for name in theirs if name not in ours]
    if missing:
        layer, _, what = missing[0].rpartition(".")
        where = "this network" if missing[0] in theirs else str(checkpoint.path)
        raise _misfit(f"{where} has no {what} of a layer {layer}")


def _check_shape(name: str, theirs: Tensor, shape: Shape, checkpoint: Checkpoint) -> None:
    """Check that a tensor of the checkpoint has the shape that this network needs."""
    if theirs.shape != shape:
        layer, _, what = name.rpartition(".")
        there = describe(tuple(theirs.shape))
        must = f"the {what} of layer {layer} must be {describe(shape)}"
        raise _misfit(f"{must}, but is {there} in {checkpoint.path}")


def _misfit(problem: str) -> NetworkError:
    remedy = "leave out `model`, data.size and data.channels to take over those of the checkpoint"
    return NetworkError(("train", "start"), f"{problem}; {remedy}")
