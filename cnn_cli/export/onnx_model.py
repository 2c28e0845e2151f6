"""The whole ONNX model: uint8 images in, calibrated probabilities out, and metadata about the network."""

import json
from typing import Any

import numpy as np

import cnn_cli
from cnn_cli.checkpoint import onnxfile
from cnn_cli.checkpoint.file import Checkpoint, header_of
from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.config.dump import dump
from cnn_cli.export.graph import INPUT, Graph
from cnn_cli.export.onnx_graph import OnnxGraph, add_metadata
from cnn_cli.export.onnx_layers import LAYERS
from cnn_cli.image.preprocess import DIGIT_SIDE

UNSURE_BELOW = "unsure_below"
"""The key of the metadata below whose number an answer is unsure."""


def build_model(checkpoint: Checkpoint, network: Graph, unsure_below: float) -> Any:
    """Return the model: an `onnx.ModelProto` with three outputs.

        images         uint8 [N, 1, 28, 28] for digits, [N, C, H, W] of any height and width for photos
        probabilities  float32 [N, classes], of the calibrated softmax
        label          int64 [N], the index of the largest probability
        confidence     float32 [N], the largest probability

    Two values inside have names too: `pixels`, the network's normalized input, and `logits`.

    Args:
        checkpoint: the trained network.
        network: its operations.
        unsure_below: for the metadata: the confidence from which on an answer counts.
    """
    graph = OnnxGraph()
    pixels = _preprocess(graph, checkpoint.preprocessing)
    _network(graph, network, pixels)
    _answer(graph, checkpoint.temperature)
    inputs = [_images(graph, checkpoint.preprocessing)]
    model = graph.model(inputs, _outputs(graph, len(checkpoint.classes)), "cnn", cnn_cli.__version__)
    add_metadata(model, _metadata(checkpoint, unsure_below))
    return model


def _images(graph: OnnxGraph, preprocessing: Preprocessing) -> Any:
    digit = (1, DIGIT_SIDE, DIGIT_SIDE)
    shape = digit if preprocessing.kind == "digit" else (preprocessing.channels, "height", "width")
    return _value(graph, "images", "UINT8", ["batch", *shape])


def _outputs(graph: OnnxGraph, classes: int) -> list[Any]:
    return [
        _value(graph, "probabilities", "FLOAT", ["batch", classes]),
        _value(graph, "label", "INT64", ["batch"]),
        _value(graph, "confidence", "FLOAT", ["batch"]),
    ]


def _value(graph: OnnxGraph, name: str, kind: str, shape: list[Any]) -> Any:
    types = graph.helper.np_dtype_to_tensor_dtype
    numbers = {"UINT8": np.uint8, "FLOAT": np.float32, "INT64": np.int64}
    return graph.helper.make_tensor_value_info(name, types(np.dtype(numbers[kind])), shape)


def _preprocess(graph: OnnxGraph, preprocessing: Preprocessing) -> str:
    """Add what `cnn_cli.inference.preprocess` does to the images; return the name of the network's input."""
    steps = _digit if preprocessing.kind == "digit" else _photo
    gray_levels = steps(graph, preprocessing.size, preprocessing.channels)
    levels = graph.add("Div", [gray_levels, graph.floats("white", 255)], "levels")
    each = (-1, 1, 1)
    mean = graph.floats("mean", np.reshape(preprocessing.mean, each))
    std = graph.floats("std", np.reshape(preprocessing.std, each))
    return graph.add("Div", [graph.add("Sub", [levels, mean], "centered"), std], onnxfile.PIXELS)


def _digit(graph: OnnxGraph, size: int, channels: int) -> str:
    """Bring 28x28 pixels to the network's size: amid background, or scaled down."""
    value = _cast(graph, "images", "gray_levels")
    if size > DIGIT_SIDE:
        before = (size - DIGIT_SIDE) // 2
        after = size - DIGIT_SIDE - before
        pads = graph.integers("background", [0, 0, before, before, 0, 0, after, after])
        value = graph.add("Pad", [value, pads], "on_background")
    elif size < DIGIT_SIDE:
        value = _resize(graph, value, size, "resized")
    return value if channels == 1 else graph.add("Concat", [value] * channels, "channels", axis=1)


def _photo(graph: OnnxGraph, size: int, channels: int) -> str:
    """Cut out the middle square and scale it to the network's size, as `cnn_cli.image.photo` does."""
    sides = graph.add("Shape", ["images"], "sides", start=2)
    side = graph.add("ReduceMin", [sides], "side", keepdims=1)
    rest = _cast(graph, graph.add("Sub", [sides, side], "beside_square"), "beside_square_float")
    half = graph.add("Round", [graph.add("Mul", [rest, graph.floats("half", 0.5)], "halved")], "rounded")
    start = _cast(graph, half, "square_start", np.int64)
    stop = graph.add("Add", [start, side], "square_stop")
    axes = graph.integers("rows_and_columns", [2, 3])
    square = graph.add("Slice", ["images", start, stop, axes], "square")
    return _cast(graph, _resize(graph, square, size, "resized"), "gray_levels")


def _resize(graph: OnnxGraph, value: str, size: int, name: str) -> str:
    """Scale bilinearly with antialiasing, like Pillow: pixels outside of the image have no weight."""
    sides = graph.integers(f"{name}.sides", [size, size])
    return graph.add(
        "Resize", [value, "", "", sides], name, mode="linear", antialias=1, exclude_outside=1, axes=(2, 3)
    )


def _cast(graph: OnnxGraph, value: str, name: str, to: Any = np.float32) -> str:
    return graph.add("Cast", [value], name, to=graph.helper.np_dtype_to_tensor_dtype(np.dtype(to)))


def _network(graph: OnnxGraph, network: Graph, pixels: str) -> None:
    values = {INPUT: pixels}
    for operation in network.operations:
        inputs = [values[name] for name in operation.inputs]
        shape = network.shape(operation.inputs[0])
        values[operation.name] = LAYERS[operation.kind](graph, operation, inputs, shape)
    graph.add("Identity", [values[network.output.name]], onnxfile.LOGITS)


def _answer(graph: OnnxGraph, temperature: float) -> None:
    calibrated = graph.add("Div", [onnxfile.LOGITS, graph.floats("temperature", temperature)], "calibrated")
    graph.add("Softmax", [calibrated], "probabilities", axis=1)
    graph.add("ArgMax", ["probabilities"], "label", axis=1, keepdims=0)
    graph.add("ReduceMax", ["probabilities", graph.integers("classes", [1])], "confidence", keepdims=0)


def _metadata(checkpoint: Checkpoint, unsure_below: float) -> dict[str, str]:
    """Return what other programs and people may want to know, and the header that `cnn` itself reads."""
    return {
        "class_names": json.dumps(checkpoint.classes),
        UNSURE_BELOW: str(unsure_below),
        "preprocessing": _PREPROCESSING[checkpoint.preprocessing.kind],
        "config": dump(checkpoint.config),
        "source": f"network {checkpoint.config.name}, trained on {checkpoint.data}; exported by cnn "
        f"{cnn_cli.__version__}",
        "license": "cnn is under the MIT License and no part of it is in this file. The weights were made "
        f"from the images of {checkpoint.data}: the terms of those images may apply to them.",
        onnxfile.HEADER: json.dumps(header_of(checkpoint)),
    }


_PREPROCESSING = {
    "digit": "Give gray images of 28x28 pixels as in MNIST: 0 is background and 255 ink, the digit fits into "
    "20x20 pixels, and its center of mass is in the middle.",
    "photo": "Give images of any size: the middle square is cut out and scaled to the network's input.",
}
