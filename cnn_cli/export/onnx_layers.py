"""Every layer as ONNX operators: one short function each, named as in the YAML.

A function takes the graph, the operation and the names of the values that it reads, adds nodes, and names the
last of them like the operation. `cnn_cli.inference` says what each layer computes.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cnn_cli.export.graph import Operation
from cnn_cli.export.onnx_graph import OnnxGraph
from cnn_cli.inference.arrays import Array, Pair, Shape, border, extent
from cnn_cli.inference.pooling import beyond, cells, positions, window_counts

Emit = Callable[[OnnxGraph, Operation, list[str], Shape], str]
"""Adds an operation that reads values, the first of them with that shape, and returns its value's name."""


def conv(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """A convolution with the same parameters; `same` padding is written as numbers."""
    arguments, name = operation.arguments, operation.name
    kernel = arguments["weight"].shape[2:]
    (top, bottom), (left, right) = border(extent(kernel, arguments["dilation"]), arguments["padding"])
    return graph.add(
        "Conv",
        [*inputs, *_weights(graph, name, arguments)],
        name,
        kernel_shape=kernel,
        strides=arguments["stride"],
        pads=(top, left, bottom, right),
        dilations=arguments["dilation"],
        group=arguments["groups"],
    )


def linear(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """A product with the transposed weights."""
    weights = _weights(graph, operation.name, operation.arguments)
    return graph.add("Gemm", [*inputs, *weights], operation.name, transB=1)


def flatten(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """Every image as one row."""
    return graph.add("Flatten", inputs, operation.name, axis=1)


def pool(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """Pooling whose padding is written so that no window has to be rounded up.

    ONNX divides the sum of a window by its size; where a window covers less, a factor corrects that.
    """
    arguments, name = operation.arguments, operation.name
    window: Pair = arguments["window"]
    stride, padding, ceil = arguments["stride"] or window, arguments["padding"], arguments["ceil"]
    counts = [positions(*side, ceil) for side in zip(shape[1:], window, stride, padding, strict=True)]
    ends = [
        beyond(count, *side) for count, *side in zip(counts, window, stride, padding, shape[1:], strict=True)
    ]
    sizes: dict[str, Any] = {"kernel_shape": window, "strides": stride, "pads": (*padding, *ends)}
    if arguments["kind"] == "max":
        return graph.add("MaxPool", inputs, name, **sizes)
    covered = np.outer(*map(window_counts, counts, window, stride, shape[1:], padding))
    factor = (math.prod(window) / covered).astype(np.float32)
    if (factor == 1).all():
        return graph.add("AveragePool", inputs, name, count_include_pad=1, **sizes)
    means = graph.add("AveragePool", inputs, f"{name}.mean", count_include_pad=1, **sizes)
    return graph.add("Mul", [means, graph.floats(f"{name}.factor", factor)], name)


def global_pool(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """The average or maximum of the whole channel, or of cells: of their rows, then of their columns."""
    kind, size = operation.arguments["kind"], operation.arguments["size"]
    if size == (1, 1):
        return graph.add("GlobalMaxPool" if kind == "max" else "GlobalAveragePool", inputs, operation.name)
    rows = _cells(graph, inputs[0], 2, shape[1], size[0], kind, f"{operation.name}.rows")
    return _cells(graph, rows, 3, shape[2], size[1], kind, operation.name)


def _cells(graph: OnnxGraph, value: str, axis: int, side: int, count: int, kind: str, name: str) -> str:
    """Average or maximum of `count` cells along one axis, which together cover it."""
    axes, parts = graph.integers(f"{name}.axis", [axis]), []
    for place, (start, stop) in enumerate(cells(side, count)):
        bounds = [
            graph.integers(f"{name}.{place}.{end}", [at]) for end, at in (("start", start), ("stop", stop))
        ]
        part = graph.add("Slice", [value, *bounds, axes], f"{name}.{place}.cell")
        reduce = "ReduceMax" if kind == "max" else "ReduceMean"
        parts.append(graph.add(reduce, [part, axes], f"{name}.{place}", keepdims=1))
    return graph.add("Concat", parts, name, axis=axis)


def norm(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """Normalization of the parts of an image, each as one channel; then scale and shift.

    Batch normalization is a scale and a shift before it comes here.
    """
    arguments, name = operation.arguments, operation.name
    parts = arguments["groups"] if arguments["kind"] == "group" else 1
    as_parts = graph.integers(f"{name}.parts", [0, parts, math.prod(shape) // parts])
    grouped = graph.add("Reshape", [*inputs, as_parts], f"{name}.grouped")
    unit = [graph.floats(f"{name}.one", np.ones(parts)), graph.floats(f"{name}.zero", np.zeros(parts))]
    even = graph.add(
        "InstanceNormalization", [grouped, *unit], f"{name}.normalized_parts", epsilon=arguments["eps"]
    )
    as_before = graph.integers(f"{name}.shape", [0, *shape])
    normalized = graph.add("Reshape", [even, as_before], f"{name}.normalized")
    return _scale_and_shift(graph, name, normalized, arguments["weight"], arguments["bias"], shape)


def affine(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """A factor and an offset for each channel."""
    coefficient, bias = operation.arguments["coefficient"], operation.arguments["bias"]
    return _scale_and_shift(graph, operation.name, inputs[0], coefficient, bias, shape)


def _scale_and_shift(
    graph: OnnxGraph, name: str, value: str, scale: Array, shift: Array, shape: Shape
) -> str:
    each = (-1,) + (1,) * (len(shape) - 1)
    scaled = graph.add("Mul", [value, graph.floats(f"{name}.weight", scale.reshape(each))], f"{name}.scaled")
    return graph.add("Add", [scaled, graph.floats(f"{name}.bias", shift.reshape(each))], name)


def lrn(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """The mean of squares as average pooling over the channels. (ONNX's LRN has no even sizes.)"""
    name, size = operation.name, operation.arguments["size"]
    channels, height, width = shape
    squares = graph.add("Mul", inputs * 2, f"{name}.squares")
    as_rows = graph.integers(f"{name}.channels", [0, 1, channels, height * width])
    rows = graph.add("Reshape", [squares, as_rows], f"{name}.rows")
    pads = (size // 2, 0, (size - 1) // 2, 0)
    means = graph.add(
        "AveragePool", [rows], f"{name}.means", kernel_shape=(size, 1), pads=pads, count_include_pad=1
    )
    as_image = graph.integers(f"{name}.shape", [0, *shape])
    mean = graph.add("Reshape", [means, as_image], f"{name}.mean")
    constants = {
        key: graph.floats(f"{name}.{key}", operation.arguments[key]) for key in ("alpha", "k", "beta")
    }
    weighted = graph.add("Mul", [mean, constants["alpha"]], f"{name}.weighted")
    base = graph.add("Add", [weighted, constants["k"]], f"{name}.base")
    divisor = graph.add("Pow", [base, constants["beta"]], f"{name}.divisor")
    return graph.add("Div", [*inputs, divisor], name)


def relu(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """max(0, x)."""
    return graph.add("Relu", inputs, operation.name)


def leaky_relu(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """x, or slope * x where it is negative."""
    return graph.add("LeakyRelu", inputs, operation.name, alpha=operation.arguments["slope"])


def gelu(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """With the error function, not its approximation by tanh."""
    return graph.add("Gelu", inputs, operation.name, approximate="none")


def silu(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """x * sigmoid(x)."""
    return graph.add(
        "Mul", [*inputs, graph.add("Sigmoid", inputs, f"{operation.name}.sigmoid")], operation.name
    )


def tanh(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """The hyperbolic tangent."""
    return graph.add("Tanh", inputs, operation.name)


def scaled_tanh(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """1.7159 tanh(2x / 3)."""
    name = operation.name
    inner = graph.add("Mul", [*inputs, graph.floats(f"{name}.slope", 2 / 3)], f"{name}.inner")
    outer = graph.add("Tanh", [inner], f"{name}.tanh")
    return graph.add("Mul", [outer, graph.floats(f"{name}.amplitude", 1.7159)], name)


def sigmoid(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """1 / (1 + exp(-x))."""
    return graph.add("Sigmoid", inputs, operation.name)


def add(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """The sum of a residual's layers and its shortcut."""
    return graph.add("Add", inputs, operation.name)


def concat(graph: OnnxGraph, operation: Operation, inputs: list[str], shape: Shape) -> str:
    """Parallel branches, joined along the channels."""
    return graph.add("Concat", inputs, operation.name, axis=1)


def _weights(graph: OnnxGraph, name: str, arguments: dict[str, Any]) -> list[str]:
    """Add the weights and, if there is one, the bias."""
    tensors = ((key, arguments[key]) for key in ("weight", "bias"))
    return [graph.floats(f"{name}.{key}", tensor) for key, tensor in tensors if tensor is not None]


LAYERS: dict[str, Emit] = {
    function.__name__: function
    for function in (
        *(conv, linear, flatten, pool, global_pool, norm, affine, lrn),
        *(relu, leaky_relu, gelu, silu, tanh, scaled_tanh, sigmoid, add, concat),
    )
}
"""The function behind each kind of operation."""
