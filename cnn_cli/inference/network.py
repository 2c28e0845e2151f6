"""The network: a chain of named layers. The layers that hold layers are here too."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnn_cli.inference.arrays import Array, Shape


@dataclass(frozen=True)
class Layer:
    """One layer: a function of its inputs, with its parameters and weights."""

    name: str
    """As its weights' names begin: `part1.unit1.conv1`."""
    function: Callable[..., Array]
    """What it computes, such as `conv`."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """What the function takes beside the inputs."""

    def __call__(self, inputs: Array) -> Array:
        """Compute the outputs."""
        return self.function(inputs, **self.arguments)


@dataclass(frozen=True)
class Chain:
    """Layers one after the other; none is the identity. A `block` is one."""

    name: str
    layers: tuple["Step", ...]

    def __call__(self, inputs: Array) -> Array:
        """Compute the last layer's outputs."""
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs


@dataclass(frozen=True)
class Residual:
    """layers(x) + shortcut(x) (He et al. 2015, equations 1 and 2)."""

    name: str
    layers: Chain
    shortcut: Chain

    def __call__(self, inputs: Array) -> Array:
        """Compute the sum."""
        return self.layers(inputs) + self.shortcut(inputs)


@dataclass(frozen=True)
class Parallel:
    """Branches that read the same input, joined along the channels (Szegedy et al. 2014, figure 2)."""

    name: str
    branches: tuple[Chain, ...]

    def __call__(self, inputs: Array) -> Array:
        """Compute the branches' outputs, joined: [N, the sum of their channels, H, W] or [N, units]."""
        outputs = [branch(inputs) for branch in self.branches]
        count, _, *sides = outputs[0].shape
        channels = sum(output.shape[1] for output in outputs)
        joined = np.moveaxis(np.empty((count, *sides, channels), np.float32), -1, 1)
        return np.concatenate(
            outputs, axis=1, out=joined
        )  # a pixel's channels side by side, as in the branches


Step = Layer | Chain | Residual | Parallel


@dataclass(frozen=True)
class Network:
    """A network with its weights: images to logits.

    `trace` walks through its layers; the network that `fold.fold` returns computes the same in fewer steps.
    """

    chain: Chain
    input_shape: Shape
    """(C, H, W) of one input."""
    classes: int
    """How many logits it gives."""
    tile: int | None = None
    """How many images go through the layers at a time; None for all."""
    per_column: bool = False
    """Whether it gives logits for each column of an image of any width."""

    def __call__(self, inputs: Array) -> Array:
        """Compute the logits float32 [N, classes] of inputs float32 [N, C, H, W].

        With `per_column`: [N, classes, 1, W'], for any W.

        Raises:
            ValueError: the inputs have another shape.
        """
        inputs = self._checked(inputs)
        tile = self.tile or max(1, len(inputs))
        tiles = [self.chain(inputs[start : start + tile]) for start in range(0, len(inputs), tile)]
        return np.concatenate(tiles) if tiles else np.empty((0, self.classes), np.float32)

    def trace(self, inputs: Array) -> Iterator[tuple[str, Array]]:
        """Yield the name and the output of every step of the chain, in order; the last are the logits."""
        outputs = self._checked(inputs)
        for layer in self.chain.layers:
            outputs = layer(outputs)
            yield layer.name, outputs

    def _checked(self, inputs: Array) -> Array:
        inputs = np.asarray(inputs, np.float32)
        fixed = 3 if self.per_column else 4
        if inputs.ndim != 4 or inputs.shape[1:fixed] != self.input_shape[: fixed - 1]:
            raise ValueError(f"the inputs have shape {inputs.shape}, but must have (N, *{self.input_shape})")
        return inputs
