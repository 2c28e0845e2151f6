"""From a config's layers and a checkpoint's weights to a network."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli.config.budget import Budget
from cnn_cli.config.naming import LayerSpec, Path, fresh_name, projection, unrolled
from cnn_cli.errors import DataError, NetworkError
from cnn_cli.inference import activations, convolution, normalization, pooling, shapes
from cnn_cli.inference.arrays import Array, Shape
from cnn_cli.inference.fold import fold
from cnn_cli.inference.network import Chain, Layer, Network, Parallel, Residual, Step
from cnn_cli.inference.shapes import describe
from cnn_cli.memory import keep_memory

LAYERS: dict[str, Callable[..., Array]] = {
    function.__name__: function
    for function in (
        *(convolution.conv, convolution.linear, convolution.flatten, pooling.pool, pooling.global_pool),
        *(normalization.norm, normalization.affine, normalization.lrn),
        *(activations.relu, activations.leaky_relu, activations.gelu, activations.silu, activations.tanh),
        *(activations.scaled_tanh, activations.sigmoid, activations.dropout),
    )
}
"""The function behind each name of the YAML that computes; `HOLDERS` has those that hold layers."""

IN_WEIGHTS = {"conv": ("out", "kernel"), "linear": ("out",)}
"""Parameters that no function takes: the weights' shapes have them."""


def build_network(
    layers: Sequence[LayerSpec],
    input_shape: Shape,
    classes: int,
    weights: Mapping[str, NDArray[Any]],
    *,
    fast: bool = True,
    per_column: bool = False,
) -> Network:
    """Build a network from its layers and its weights.

    Args:
        layers: the chain from the image to the logits: names and plain parameters, as `Item` has them.
        input_shape: (C, H, W) of one input.
        classes: how many logits the last layer gives.
        weights: the tensors of the torch network's `state_dict`, by name.
        fast: rewrite the network so that it computes the same in less time; False keeps one step a layer.
        per_column: whether the last layer gives them for each column of an image.

    Raises:
        NetworkError: a layer does not fit its input, the network is beyond the budget of
            `cnn_cli.config.budget`, or the output is not one logit a class.
        DataError: a tensor is missing, has another shape, or belongs to no layer.
    """
    builder = _Builder(classes, dict(weights))
    chain, shape = builder.chain("", ("model", "layers"), layers, input_shape)
    if (shape[:2] if per_column else shape) != ((classes, 1) if per_column else (classes,)):
        raise NetworkError(
            ("model", "layers"), f"they give {describe(shape)}, but there are {classes} classes"
        )
    if builder.weights:
        raise DataError(f"the tensor {min(builder.weights)} belongs to no layer of the network")
    network = Network(chain, tuple(input_shape), classes, per_column=per_column)
    if not fast:
        return network
    keep_memory()
    return fold(network)


@dataclass
class _Builder:
    """Builds chains, and those inside them; takes the weights that it uses out of the rest."""

    classes: int
    weights: dict[str, NDArray[Any]]
    """Those that no layer has taken yet."""
    budget: Budget = field(default_factory=Budget)

    def chain(self, name: str, path: Path, layers: Sequence[LayerSpec], shape: Shape) -> tuple[Chain, Shape]:
        """Build the chain that is written at `path`; also return the shape of its output."""
        steps: dict[str, Step] = {}
        counts = Counter[str]()
        for place, spec in unrolled(layers, path):
            fresh = fresh_name(spec, counts, steps)
            steps[fresh], shape = self._step(
                f"{name}.{fresh}".removeprefix("."), (*place, spec[0]), spec, shape
            )
        return Chain(name, tuple(steps.values())), shape

    def _step(self, name: str, path: Path, spec: LayerSpec, shape: Shape) -> tuple[Step, Shape]:
        kind, parameters = spec
        try:
            self.budget.add_layer()
            if kind in HOLDERS:
                return HOLDERS[kind](self, name, path, shape, **parameters)
            known = {key: self.classes if value == "classes" else value for key, value in parameters.items()}
            expected, output = shapes.weights(kind, known, shape), shapes.output(kind, known, shape)
            self.budget.add_activations(prod(output))
        except ValueError as error:
            raise NetworkError(path, str(error)) from None
        tensors = {key: self._take(f"{name}.{key}", shape) for key, shape in expected.items()}
        if kind == "norm":
            self.weights.pop(f"{name}.num_batches_tracked", None)  # training counts its batches there
        for key in IN_WEIGHTS.get(kind, ()):
            del known[key]
        if known.get("bias") is False:
            known["bias"] = None
        return Layer(name, LAYERS[kind], known | tensors), output

    def _take(self, name: str, shape: Shape) -> Array:
        if name not in self.weights:
            raise DataError(f"the tensor {name} is missing")
        tensor = self.weights.pop(name)
        if tensor.shape != shape:
            raise DataError(f"the tensor {name} is {describe(tensor.shape)}, but must be {describe(shape)}")
        return np.ascontiguousarray(tensor, np.float32)


def _residual(
    builder: _Builder,
    name: str,
    path: Path,
    shape: Shape,
    *,
    layers: Sequence[LayerSpec],
    shortcut: Sequence[LayerSpec] | None,
) -> tuple[Residual, Shape]:
    chain, output = builder.chain(name, (*path, "layers"), layers, shape)
    around = projection(shape, output) if shortcut is None else shortcut
    if around is None:
        raise NetworkError(path, f"no shortcut leads from {describe(shape)} to {describe(output)}")
    beside, reached = builder.chain(f"{name}.shortcut", (*path, "shortcut"), around, shape)
    if reached != output:
        raise NetworkError(path, f"its layers give {describe(output)}, but its shortcut {describe(reached)}")
    return Residual(name, chain, beside), output


def _parallel(
    builder: _Builder, name: str, path: Path, shape: Shape, *, branches: Sequence[Sequence[LayerSpec]]
) -> tuple[Parallel, Shape]:
    built = [
        builder.chain(f"{name}.branch{index + 1}", (*path, "branches", index), branch, shape)
        for index, branch in enumerate(branches)
    ]
    outputs = [output for _, output in built]
    if len({output[1:] for output in outputs}) > 1:
        raise NetworkError(
            path, f"the branches cannot be joined: they give {', '.join(map(describe, outputs))}"
        )
    channels = sum(output[0] for output in outputs)
    return Parallel(name, tuple(chain for chain, _ in built)), (channels, *outputs[0][1:])


def _block(
    builder: _Builder, own: str, path: Path, shape: Shape, *, name: str, layers: Sequence[LayerSpec]
) -> tuple[Chain, Shape]:
    return builder.chain(own, (*path, "layers"), layers, shape)


def _auxiliary(
    builder: _Builder, name: str, path: Path, shape: Shape, *, layers: Sequence[LayerSpec], weight: float
) -> tuple[Chain, Shape]:
    """The identity: only training runs the classifier, but its weights are checked like all others."""
    builder.chain(name, (*path, "layers"), layers, shape)
    return Chain(name, ()), shape


HOLDERS: dict[str, Callable[..., tuple[Step, Shape]]] = {
    "residual": _residual,
    "parallel": _parallel,
    "block": _block,
    "auxiliary": _auxiliary,
}
"""The function behind each name of the YAML that holds layers; `repeat` is unrolled before."""
