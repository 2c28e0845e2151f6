"""A network in C with 32-bit floats: one call for each operation."""

import math
from collections.abc import Callable

import numpy as np

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.export.c_code import CCode, Shapes, ends, pixels, remark, window_of
from cnn_cli.export.graph import INPUT, Graph, Operation
from cnn_cli.export.lower import lower
from cnn_cli.export.memory_plan import plan_memory
from cnn_cli.image.preprocess import InputFormat
from cnn_cli.inference.arrays import Array


def float_code(graph: Graph, preprocessing: Preprocessing) -> CCode:
    """Return the C code of a network, from the image to the logits."""
    lowered = lower(graph)
    code = CCode("float", plan_memory(lowered.input_shape, lowered.operations))
    _normalize(code, preprocessing)
    shapes = lowered.shapes
    for operation in lowered.operations:
        KINDS.get(operation.kind, _elementwise)(code, operation, shapes)
    return code


def _normalize(code: CCode, preprocessing: Preprocessing) -> None:
    channels, side, _ = InputFormat(preprocessing.kind, preprocessing.size, preprocessing.channels).shape
    mean, std = (
        code.array(name, np.array(values, np.float32))
        for name, values in (("mean", preprocessing.mean), ("std", preprocessing.std))
    )
    sizes = (channels, side, preprocessing.channels, preprocessing.size)
    code.call("normalize", "image", *sizes, mean, std, code.place(INPUT), remark="the network's input")


def _conv(code: CCode, operation: Operation, shapes: Shapes) -> None:
    window = code.window(operation.name, **window_of(operation, shapes[operation.inputs[0]]))
    code.call("conv", window, *_weights(code, operation), *ends(code, operation), remark=remark(operation))


def _linear(code: CCode, operation: Operation, shapes: Shapes) -> None:
    before = shapes[operation.inputs[0]]
    sizes = math.prod(before), *operation.shape
    code.call("linear", *sizes, *_weights(code, operation), *ends(code, operation), remark=remark(operation))


def _weights(code: CCode, operation: Operation) -> tuple[str, str]:
    weight, bias = operation.arguments["weight"], operation.arguments["bias"]
    offsets: Array = np.zeros(len(weight), np.float32) if bias is None else bias
    return code.array(f"{operation.name}_weight", weight), code.array(f"{operation.name}_bias", offsets)


def _pool(code: CCode, operation: Operation, shapes: Shapes) -> None:
    window = code.window(operation.name, **window_of(operation, shapes[operation.inputs[0]]))
    name = f"{operation.arguments['kind']}_pool"
    code.call(name, window, *ends(code, operation), remark=remark(operation))


def _global_pool(code: CCode, operation: Operation, shapes: Shapes) -> None:
    window = code.window(operation.name, **window_of(operation, shapes[operation.inputs[0]]))
    name = f"global_{operation.arguments['kind']}"
    code.call(name, window, *ends(code, operation), remark=remark(operation))


def _norm(code: CCode, operation: Operation, shapes: Shapes) -> None:
    before = shapes[operation.inputs[0]]
    arguments = operation.arguments
    parts = arguments["groups"] if arguments["kind"] == "group" else 1
    sizes = parts, before[0], pixels(before), float(arguments["eps"])
    weights = _weights(code, operation)
    code.call("norm", *sizes, *weights, *ends(code, operation), remark=remark(operation))


def _lrn(code: CCode, operation: Operation, shapes: Shapes) -> None:
    before = shapes[operation.inputs[0]]
    sizes = before[0], pixels(before), operation.arguments["size"]
    numbers = (float(operation.arguments[key]) for key in ("alpha", "beta", "k"))
    code.call("lrn", *sizes, *numbers, *ends(code, operation), remark=remark(operation))


def _add(code: CCode, operation: Operation, shapes: Shapes) -> None:
    before = shapes[operation.inputs[0]]
    code.call("add", math.prod(before), *ends(code, operation), remark=remark(operation))


def _concat(code: CCode, operation: Operation, shapes: Shapes) -> None:
    """Copy each branch behind those before it."""
    start, target = 0, code.place(operation.name)
    for branch in operation.inputs:
        count = math.prod(shapes[branch])
        code.call("concat", count, code.place(branch), f"{target} + {start}", remark=remark(operation))
        start += count


def _elementwise(code: CCode, operation: Operation, shapes: Shapes) -> None:
    before = shapes[operation.inputs[0]]
    name, numbers = operation.kind, [float(value) for value in operation.arguments.values()]
    if name in ("tanh", "scaled_tanh"):
        name, numbers = "tanh", [1.0, 1.0] if name == "tanh" else [1.7159, 2 / 3]
    code.call(name, math.prod(before), *numbers, *ends(code, operation), remark=remark(operation))


KINDS: dict[str, Callable[[CCode, Operation, Shapes], None]] = {
    "conv": _conv,
    "linear": _linear,
    "pool": _pool,
    "global_pool": _global_pool,
    "norm": _norm,
    "lrn": _lrn,
    "add": _add,
    "concat": _concat,
}
"""How each kind of operation is called; the others are functions of one number."""
