"""From a network and calibration images to an 8-bit network: one scale for each value and each filter."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_cli.checkpoint.preprocessing import Preprocessing
from cnn_cli.export import int8
from cnn_cli.export.evaluate import values_of
from cnn_cli.export.graph import INPUT, Graph, Operation
from cnn_cli.export.int8 import HIGH, LOW, Int8, Integers, scaled
from cnn_cli.export.lower import fuse_relu, lower
from cnn_cli.inference.arrays import Array
from cnn_cli.inference.build import LAYERS
from cnn_cli.inference.preprocess import on_background, to_channels

TABLE = np.arange(LOW, HIGH + 1)
"""Every int8 number."""

FACTORS = 256
"""Factors in the table of a local response normalization."""

NORM_SHIFT = 48
"""Upper limit of the shift of a normalization, so that its shifted bias fits into 64 bits."""

Ranges = Mapping[str, tuple[float, float]]
"""The smallest and the largest number of each value."""


@dataclass(frozen=True)
class Scale:
    """What the int8 numbers q of a value stand for: scale * (q - zero)."""

    scale: float
    zero: int

    def real(self, numbers: NDArray[Any]) -> NDArray[np.float64]:
        """Return the real numbers of int8 numbers."""
        return self.scale * (numbers.astype(np.float64) - self.zero)

    def quantize(self, numbers: NDArray[Any]) -> Int8:
        """Return the closest int8 numbers."""
        return int8.clip(np.rint(np.asarray(numbers, np.float64) / self.scale).astype(np.int64) + self.zero)


@dataclass(frozen=True)
class QuantizedNetwork:
    """A network in 8 bits: uint8 images to logits."""

    input_tables: Int8
    """[C, 256]: the network's input for each gray level of each channel."""
    input_shape: tuple[int, ...]
    operations: tuple[Operation, ...]
    """As of a `Graph`; their arguments are those of the functions in `cnn_cli.export.int8`."""
    logits: Operation | None
    """A last fully connected layer, whose 32-bit sums are the logits; None: the last value is."""
    logit_scale: NDArray[np.float32]
    """What the sums [classes], or the last value minus `logit_zero`, are multiplied by."""
    logit_zero: int = 0

    def integers(self, images: NDArray[np.uint8]) -> Integers:
        """Return the integers [N, classes] behind the logits of images.

        Args:
            images: uint8 [N, C, H, W], digits of 28x28, or photos of the input's size.
        """
        values: dict[str, Int8] = {INPUT: self._input(images)}
        last = INPUT
        for operation in self.operations:
            inputs = [values[name] for name in operation.inputs]
            last = operation.name
            values[last] = int8.LAYERS[operation.kind](*inputs, **operation.arguments)
        if self.logits is None:
            return values[last].reshape(len(images), -1).astype(np.int64) - self.logit_zero
        arguments = {key: value for key, value in self.logits.arguments.items() if key != "scale"}
        return int8.sums(values[self.logits.inputs[0]], **arguments)

    def __call__(self, images: NDArray[np.uint8]) -> Array:
        """Return the logits float32 [N, classes] of such images."""
        return self.integers(images).astype(np.float32) * self.logit_scale

    def _input(self, images: NDArray[np.uint8]) -> Int8:
        count, size, _ = self.input_shape
        images = on_background(to_channels(images, count), size)
        return self.input_tables[np.arange(count)[:, None, None], images]


def measure_ranges(graph: Graph, batches: Iterable[Array]) -> dict[str, tuple[float, float]]:
    """Return the range of every value of a graph for batches of normalized inputs."""
    ranges: dict[str, tuple[float, float]] = {}
    for batch in batches:
        for name, value in values_of(graph, batch):
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = min(low, float(value.min())), max(high, float(value.max()))
    return ranges


def quantize(graph: Graph, preprocessing: Preprocessing, ranges: Ranges) -> QuantizedNetwork:
    """Return the 8-bit form of a network.

    Args:
        graph: its operations.
        preprocessing: how gray levels become its input.
        ranges: those of its values, from `measure_ranges`.
    """
    lowered = lower(graph)
    fused, relus = fuse_relu(lowered)
    sizes = {name: ranges[relus.get(name, name)] for name in (INPUT, *fused.shapes)}
    builder = _Quantizer(sizes)
    tables = _input_tables(preprocessing, builder.scales[INPUT])
    *hidden, last = fused.operations
    if last.kind != "linear":
        operations = tuple(map(builder.operation, fused.operations))
        end = builder.scales[last.name]
        scale = np.full(math.prod(last.shape), end.scale, np.float32)
        return QuantizedNetwork(tables, graph.input_shape, operations, None, scale, end.zero)
    operations = tuple(map(builder.operation, hidden))
    logits = builder.logits(last)
    return QuantizedNetwork(tables, graph.input_shape, operations, logits, logits.arguments["scale"])


def scale_of(low: float, high: float) -> Scale:
    """Return the scale whose int8 numbers cover low..high, which contain 0 exactly."""
    scale = (high - low) / (HIGH - LOW) or 1.0
    return Scale(scale, int(np.clip(round(LOW - low / scale), LOW, HIGH)))


def _input_tables(preprocessing: Preprocessing, scale: Scale) -> Int8:
    levels = np.arange(256) / 255
    each = zip(preprocessing.mean, preprocessing.std, strict=True)
    return np.stack([scale.quantize((levels - mean) / std) for mean, std in each])


@dataclass
class _Quantizer:
    """Turns operations into those of `cnn_cli.export.int8`, and keeps the scales of their values."""

    ranges: Ranges
    scales: dict[str, Scale] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scales[INPUT] = scale_of(*self.ranges[INPUT])

    def operation(self, operation: Operation) -> Operation:
        """Return the operation in 8 bits."""
        before = [self.scales[name] for name in operation.inputs]
        after = scale_of(*self.ranges[operation.name])
        if _keeps_scale(operation):
            after = before[0]
        self.scales[operation.name] = after
        kind, arguments = KINDS.get(operation.kind, _activation)(operation, before, after)
        return Operation(operation.name, kind, operation.inputs, operation.shape, arguments)

    def logits(self, operation: Operation) -> Operation:
        """Return the last layer, whose sums stay sums, with the scale of each."""
        arguments, scales = _weights(operation, self.scales[operation.inputs[0]])
        arguments["scale"] = scales.astype(np.float32)
        return Operation(operation.name, "sums", operation.inputs, operation.shape, arguments)


def _keeps_scale(operation: Operation) -> bool:
    """Whether the operation only selects numbers."""
    return operation.kind in ("pool", "global_pool") and operation.arguments["kind"] == "max"


Kind = tuple[str, dict[str, Any]]


def _weights(operation: Operation, before: Scale) -> tuple[dict[str, Any], NDArray[np.float64]]:
    """Return 8-bit weights and the 32-bit bias, and the scale of the sums of each filter."""
    weight = operation.arguments["weight"].astype(np.float64)
    largest = np.abs(weight.reshape(len(weight), -1)).max(1)
    scales = np.where(largest > 0, largest, 1.0) / HIGH
    numbers = np.rint(weight / scales.reshape(-1, *(1,) * (weight.ndim - 1))).astype(np.int8)
    sums = scales * before.scale
    bias = operation.arguments["bias"]
    shift = np.zeros(len(weight)) if bias is None else bias.astype(np.float64)
    limit = 2**30
    offsets = np.clip(np.rint(shift / sums), -limit, limit).astype(np.int64)
    return {"weight": numbers, "bias": offsets, "zero": before.zero}, sums


def _conv(operation: Operation, before: list[Scale], after: Scale) -> Kind:
    arguments, sums = _weights(operation, before[0])
    pairs = [scaled(factor) for factor in (sums / after.scale).tolist()]
    arguments["multiplier"] = np.array([multiplier for multiplier, _ in pairs], np.int64)
    arguments["shift"] = np.array([shift for _, shift in pairs], np.int64)
    arguments["zero_out"] = after.zero
    window = {key: operation.arguments[key] for key in WINDOW if operation.kind == "conv"}
    return operation.kind, arguments | window


WINDOW = ("stride", "padding", "dilation", "groups")


def _pool(operation: Operation, before: list[Scale], after: Scale) -> Kind:
    window = {key: operation.arguments[key] for key in ("window", "stride", "padding", "ceil")}
    if operation.arguments["kind"] == "max":
        return "max_pool", window
    return "avg_pool", window | _rescaling(before[0], after)


def _global_pool(operation: Operation, before: list[Scale], after: Scale) -> Kind:
    size = {"size": operation.arguments["size"]}
    if operation.arguments["kind"] == "max":
        return "global_max", size
    return "global_avg", size | _rescaling(before[0], after)


def _rescaling(before: Scale, after: Scale) -> dict[str, int]:
    multiplier, shift = scaled(before.scale / after.scale)
    return {"zero": before.zero, "multiplier": multiplier, "shift": shift, "zero_out": after.zero}


def _add(operation: Operation, before: list[Scale], after: Scale) -> Kind:
    factors = [scale.scale / after.scale for scale in before]
    _, shift = scaled(max(factors))
    multipliers = tuple(round(factor * 2.0**shift) for factor in factors)
    zeros = tuple(scale.zero for scale in before)
    return "add", {"zeros": zeros, "multipliers": multipliers, "shift": shift, "zero_out": after.zero}


def _concat(operation: Operation, before: list[Scale], after: Scale) -> Kind:
    pairs = [scaled(scale.scale / after.scale) for scale in before]
    return "concat", {
        "zeros": [scale.zero for scale in before],
        "multipliers": [multiplier for multiplier, _ in pairs],
        "shifts": [shift for _, shift in pairs],
        "zero_out": after.zero,
    }


def _norm(operation: Operation, before: list[Scale], after: Scale) -> Kind:
    arguments = operation.arguments
    parts = arguments["groups"] if arguments["kind"] == "group" else 1
    count = math.prod(operation.shape) // parts
    weight = arguments["weight"].astype(np.float64) / after.scale / 2**int8.NORM_BITS
    shift = min(scaled(float(np.abs(weight).max()), bits=24)[1], NORM_SHIFT)
    bias = arguments["bias"].astype(np.float64) / after.scale
    return "norm", {
        "parts": parts,
        "eps": max(1, round(arguments["eps"] / before[0].scale ** 2 * count**2)),
        "multiplier": np.rint(weight * 2.0**shift).astype(np.int64),
        "bias": np.rint(bias * 2.0**shift).astype(np.int64),
        "shift": shift,
        "zero_out": after.zero,
    }


def _lrn(operation: Operation, before: list[Scale], after: Scale) -> Kind:
    arguments, scale = operation.arguments, before[0]
    largest = arguments["size"] * max(HIGH - scale.zero, scale.zero - LOW) ** 2
    index_multiplier, index_shift = scaled((FACTORS - 1) / largest)
    squares = np.arange(FACTORS) * largest / (FACTORS - 1) * scale.scale**2
    base = arguments["k"] + arguments["alpha"] * squares / arguments["size"]
    factors = base ** -arguments["beta"] * scale.scale / after.scale
    _, shift = scaled(float(factors.max()))
    return "lrn", {
        "size": arguments["size"],
        "zero": scale.zero,
        "index_multiplier": index_multiplier,
        "index_shift": index_shift,
        "factors": np.rint(factors * 2.0**shift).astype(np.int64),
        "shift": shift,
        "zero_out": after.zero,
    }


def _activation(operation: Operation, before: list[Scale], after: Scale) -> Kind:
    """Return a function of one number as a table."""
    inputs = before[0].real(TABLE).astype(np.float32)
    return "table", {"outputs": after.quantize(LAYERS[operation.kind](inputs, **operation.arguments))}


KINDS: dict[str, Callable[[Operation, list[Scale], Scale], Kind]] = {
    "conv": _conv,
    "linear": _conv,
    "pool": _pool,
    "global_pool": _global_pool,
    "add": _add,
    "concat": _concat,
    "norm": _norm,
    "lrn": _lrn,
}
"""How each kind of operation is quantized; the others are tables."""
