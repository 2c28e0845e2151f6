"""A network in C with 8-bit integers: one call for each operation of `cnn_cli.export.int8`."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.export.c_code import CCode, Shapes, ends, pixels, remark, window_of
from cnn_cli.export.graph import INPUT, Operation
from cnn_cli.export.memory_plan import plan_memory
from cnn_cli.export.quantize import QuantizedNetwork
from cnn_cli.image.preprocess import InputFormat


def int8_code(network: QuantizedNetwork, preprocessing: Preprocessing) -> CCode:
    """Return the C code of an 8-bit network, from the image to the logits."""
    end = network.logits or _real(network)
    operations = (*network.operations, end)
    code = CCode("int8_t", plan_memory(network.input_shape, operations))
    _input(code, network, preprocessing)
    shapes = {INPUT: network.input_shape} | {each.name: each.shape for each in operations}
    for operation in operations:
        KINDS[operation.kind](code, operation, shapes)
    return code


def _real(network: QuantizedNetwork) -> Operation:
    """Return the operation that ends a network without a last fully connected layer."""
    last = network.operations[-1]
    numbers = {"zero": network.logit_zero, "scale": float(network.logit_scale[0])}
    return Operation("logits", "real", (last.name,), network.logit_scale.shape, numbers)


def _input(code: CCode, network: QuantizedNetwork, preprocessing: Preprocessing) -> None:
    channels, side, _ = InputFormat(preprocessing.kind, preprocessing.size, preprocessing.channels).shape
    tables = code.array("input_tables", network.input_tables)
    sizes = (channels, side, preprocessing.channels, preprocessing.size)
    code.call("q_input", "image", *sizes, tables, code.place(INPUT), remark="the network's input")


def _conv(code: CCode, operation: Operation, shapes: Shapes) -> None:
    window = code.window(operation.name, **window_of(operation, shapes[operation.inputs[0]]))
    code.call("q_conv", window, *_rounded(code, operation), *ends(code, operation), remark=remark(operation))


def _linear(code: CCode, operation: Operation, shapes: Shapes) -> None:
    sizes = math.prod(shapes[operation.inputs[0]]), *operation.shape
    code.call(
        "q_linear", *sizes, *_rounded(code, operation), *ends(code, operation), remark=remark(operation)
    )


def _rounded(code: CCode, operation: Operation) -> list[Any]:
    """Return the zero points and the arrays of a layer whose sums are rounded to eight bits."""
    arguments, name = operation.arguments, operation.name
    arrays = [code.array(f"{name}_weight", arguments["weight"])]
    for key, kind in (("bias", np.int32), ("multiplier", np.int32), ("shift", np.uint8)):
        arrays.append(code.array(f"{name}_{key}", arguments[key].astype(kind)))
    return [arguments["zero"], arguments["zero_out"], *arrays]


def _sums(code: CCode, operation: Operation, shapes: Shapes) -> None:
    arguments, name = operation.arguments, operation.name
    sizes = math.prod(shapes[operation.inputs[0]]), *operation.shape
    weight = code.array(f"{name}_weight", arguments["weight"])
    bias = code.array(f"{name}_bias", arguments["bias"].astype(np.int32))
    scale = code.array(f"{name}_scale", arguments["scale"])
    target = ends(code, operation)
    code.call("q_logits", *sizes, arguments["zero"], weight, bias, scale, *target, remark=remark(operation))


def _last_value(code: CCode, operation: Operation, shapes: Shapes) -> None:
    count = math.prod(operation.shape)
    code.call(
        "q_real", count, *operation.arguments.values(), *ends(code, operation), remark=remark(operation)
    )


def _pool(code: CCode, operation: Operation, shapes: Shapes) -> None:
    window = code.window(operation.name, **window_of(operation, shapes[operation.inputs[0]]))
    arguments = operation.arguments
    numbers = [arguments[key] for key in ("zero", "multiplier", "shift", "zero_out") if key in arguments]
    code.call(f"q_{operation.kind}", window, *numbers, *ends(code, operation), remark=remark(operation))


def _table(code: CCode, operation: Operation, shapes: Shapes) -> None:
    outputs = code.array(f"{operation.name}_table", operation.arguments["outputs"])
    count = math.prod(operation.shape)
    code.call("q_table", count, outputs, *ends(code, operation), remark=remark(operation))


def _add(code: CCode, operation: Operation, shapes: Shapes) -> None:
    arguments = operation.arguments
    numbers = (*arguments["zeros"], *arguments["multipliers"], arguments["shift"], arguments["zero_out"])
    count = math.prod(operation.shape)
    code.call("q_add", count, *numbers, *ends(code, operation), remark=remark(operation))


def _concat(code: CCode, operation: Operation, shapes: Shapes) -> None:
    """Copy each branch behind those before it."""
    arguments, start, target = operation.arguments, 0, code.place(operation.name)
    scales = zip(*(arguments[key] for key in ("zeros", "multipliers", "shifts")), strict=True)
    for branch, numbers in zip(operation.inputs, scales, strict=True):
        count = math.prod(shapes[branch])
        places = code.place(branch), f"{target} + {start}"
        code.call("q_concat", count, *numbers, arguments["zero_out"], *places, remark=remark(operation))
        start += count


def _norm(code: CCode, operation: Operation, shapes: Shapes) -> None:
    arguments, name = operation.arguments, operation.name
    multiplier = code.array(f"{name}_multiplier", arguments["multiplier"].astype(np.int32))
    bias = code.array(f"{name}_bias", arguments["bias"])
    sizes = arguments["parts"], operation.shape[0], pixels(operation.shape), arguments["eps"]
    numbers = multiplier, bias, arguments["shift"], arguments["zero_out"]
    code.call("q_norm", *sizes, *numbers, *ends(code, operation), remark=remark(operation))


def _lrn(code: CCode, operation: Operation, shapes: Shapes) -> None:
    arguments = operation.arguments
    factors = code.array(f"{operation.name}_factors", arguments["factors"].astype(np.int32))
    sizes = operation.shape[0], pixels(operation.shape), arguments["size"], arguments["zero"]
    index = arguments["index_multiplier"], arguments["index_shift"]
    numbers = factors, arguments["shift"], arguments["zero_out"]
    code.call("q_lrn", *sizes, *index, *numbers, *ends(code, operation), remark=remark(operation))


KINDS: dict[str, Callable[[CCode, Operation, Shapes], None]] = {
    "conv": _conv,
    "linear": _linear,
    "sums": _sums,
    "real": _last_value,
    **dict.fromkeys(("max_pool", "avg_pool", "global_max", "global_avg"), _pool),
    "table": _table,
    "add": _add,
    "concat": _concat,
    "norm": _norm,
    "lrn": _lrn,
}
"""How each kind of operation is called."""
