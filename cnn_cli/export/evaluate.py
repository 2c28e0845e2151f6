"""The values of a graph's operations for given inputs, computed by the definitions in `cnn_cli.inference`."""

from collections.abc import Iterator

import numpy as np

from cnn_cli.export.graph import INPUT, Graph, Operation
from cnn_cli.inference.arrays import Array
from cnn_cli.inference.build import LAYERS


def values_of(graph: Graph, inputs: Array) -> Iterator[tuple[str, Array]]:
    """Yield the name and value of the graph's input and of every operation, in order.

    Args:
        graph: the operations.
        inputs: float32 [N, C, H, W], normalized.
    """
    values = {INPUT: inputs}
    yield INPUT, inputs
    for operation in graph.operations:
        values[operation.name] = _compute(operation, [values[name] for name in operation.inputs])
        yield operation.name, values[operation.name]


def _compute(operation: Operation, inputs: list[Array]) -> Array:
    if operation.kind == "add":
        return inputs[0] + inputs[1]
    if operation.kind == "concat":
        return np.concatenate(inputs, axis=1)
    return LAYERS[operation.kind](inputs[0], **operation.arguments)
