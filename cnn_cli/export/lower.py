"""The graph that the C exports compute: without flattening, and an affine layer is a convolution."""

from dataclasses import replace

import numpy as np

from cnn_cli.export.graph import Graph, Operation


def lower(graph: Graph) -> Graph:
    """Return a graph of the same values without `flatten` and `affine`.

    Memory holds an image channel by channel and row by row, which is what `flatten` gives. An affine layer
    is a 1x1 convolution of each channel.
    """
    renamed: dict[str, str] = {}
    operations = []
    for operation in graph.operations:
        inputs = tuple(renamed.get(value, value) for value in operation.inputs)
        if operation.kind == "flatten":
            renamed[operation.name] = inputs[0]
        else:
            operations.append(_as_conv(replace(operation, inputs=inputs)))
    return replace(graph, operations=tuple(operations))


def fuse_relu(graph: Graph) -> tuple[Graph, dict[str, str]]:
    """Leave out each ReLU that an integer operation before it can do by clipping what it stores.

    One that ends the network stays: the sums before it would be the logits.

    Returns:
        The graph, and for each operation whose value has changed the name of its ReLU.
    """
    fused: dict[str, str] = {}
    for operation in graph.operations:
        readers = graph.readers(operation.name)
        is_clipped = [each.kind for each in readers] == ["relu"] and readers[0] is not graph.output
        if operation.kind in CLIPS and is_clipped:
            fused[operation.name] = readers[0].name
    before = {relu: name for name, relu in fused.items()}
    operations = tuple(
        replace(each, inputs=tuple(before.get(value, value) for value in each.inputs))
        for each in graph.operations
        if each.name not in before
    )
    return replace(graph, operations=operations), fused


CLIPS = ("conv", "linear", "norm", "add")
"""Operations that round a sum into eight bits."""


def _as_conv(operation: Operation) -> Operation:
    if operation.kind != "affine":
        return operation
    weight = np.reshape(operation.arguments["coefficient"], (-1, 1, 1, 1))
    one = (1, 1)
    arguments = {"weight": weight, "bias": operation.arguments["bias"], "stride": one, "padding": "valid"}
    return replace(operation, kind="conv", arguments=arguments | {"dilation": one, "groups": len(weight)})
