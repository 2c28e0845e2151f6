"""A network as a list of operations in the order of their computation, with measured shapes.

Both exports start from it. It has the layers of the vocabulary that are left after `inference.fold.simplify`
(no block, no dropout, no batch normalization that fits into a layer before it), and two operations for the
layers that hold layers: `add` for a residual, `concat` for parallel branches.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnn_cli.inference.arrays import Array, Shape
from cnn_cli.inference.fold import simplify
from cnn_cli.inference.network import Chain, Layer, Network, Parallel, Residual, Step

INPUT = "input"
"""The name of the network's input among the values. No layer has it, because theirs end with a number."""


@dataclass(frozen=True)
class Operation:
    """One operation and the value that it computes, which has the operation's name."""

    name: str
    """As the weights' names begin: `part1.unit1.conv1`."""
    kind: str
    """The layer's name in a YAML, or `add` or `concat`."""
    inputs: tuple[str, ...]
    """The names of the values that it reads."""
    shape: Shape
    """The shape of the value that it computes, without the batch."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Its parameters and weights, as the function of that kind in `cnn_cli.inference` takes them."""


@dataclass(frozen=True)
class Graph:
    """The operations of a network; the last one computes the logits."""

    input_shape: Shape
    operations: tuple[Operation, ...]

    @property
    def output(self) -> Operation:
        """The operation that computes the logits."""
        return self.operations[-1]

    def shape(self, value: str) -> Shape:
        """Return the shape of a value."""
        return self.shapes[value]

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every value by its name."""
        return {INPUT: self.input_shape} | {each.name: each.shape for each in self.operations}

    def readers(self, value: str) -> list[Operation]:
        """Return the operations that read a value."""
        return [each for each in self.operations if value in each.inputs]

    @property
    def multiply_adds(self) -> int:
        """Products with a weight for one image, as `cnn summary` counts them."""
        return sum(map(_multiply_adds, self.operations))


def graph_of(network: Network) -> Graph:
    """Return the operations of a network that was built with `fast=False`."""
    builder = _Builder([])
    zeros = np.zeros((1, *network.input_shape), np.float32)
    builder.chain(simplify(network).chain, INPUT, zeros)
    return Graph(network.input_shape, tuple(builder.operations))


@dataclass
class _Builder:
    """Walks through a network with one input of zeros, which measures the shapes."""

    operations: list[Operation]

    def chain(self, chain: Chain, value: str, array: Array) -> tuple[str, Array]:
        """Add the operations of a chain that reads `value`; return the name of its output, and the output."""
        for step in chain.layers:
            value, array = self._step(step, value, array)
        return value, array

    def _step(self, step: Step, value: str, array: Array) -> tuple[str, Array]:
        match step:
            case Layer(name, function, arguments):
                return self._add(name, function.__name__, (value,), step(array), arguments)
            case Residual(name, layers, shortcut):
                both = [self.chain(chain, value, array) for chain in (layers, shortcut)]
                return self._add(name, "add", tuple(each for each, _ in both), both[0][1])
            case Parallel(name, branches):
                each = [self.chain(branch, value, array) for branch in branches]
                joined = np.concatenate([output for _, output in each], axis=1)
                return self._add(name, "concat", tuple(branch for branch, _ in each), joined)
            case Chain():
                return self.chain(step, value, array)

    def _add(
        self,
        name: str,
        kind: str,
        inputs: tuple[str, ...],
        output: Array,
        arguments: dict[str, Any] | None = None,
    ) -> tuple[str, Array]:
        self.operations.append(Operation(name, kind, inputs, output.shape[1:], arguments or {}))
        return name, output


def _multiply_adds(operation: Operation) -> int:
    weight, outputs = operation.arguments.get("weight"), math.prod(operation.shape)
    if operation.kind in ("conv", "linear") and weight is not None:
        return outputs * int(math.prod(weight.shape[1:]))
    return outputs if operation.kind == "affine" else 0
