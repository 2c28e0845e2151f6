"""What a layer's parameters say about shapes: those of its weights, and that of its output.

Each function takes a layer's parameters as the config has them, and the shape of one input without the batch.
It raises ValueError where the layer does not fit that input.
"""

import math
from collections.abc import Callable
from typing import Any

from cnn_cli.inference.arrays import Pair, Shape, border, extent
from cnn_cli.inference.pooling import positions

Weights = dict[str, Shape]
"""The shape of each tensor of a layer, by its name in the layer."""


def weights(name: str, parameters: dict[str, Any], shape: Shape) -> Weights:
    """Return the shapes of the layer's weights; no entry for a layer that has none."""
    return WEIGHTS[name](shape, **parameters) if name in WEIGHTS else {}


def output(name: str, parameters: dict[str, Any], shape: Shape) -> Shape:
    """Return the shape of the layer's output; most layers keep that of their input."""
    return OUTPUTS[name](shape, **parameters) if name in OUTPUTS else shape


def describe(shape: Shape) -> str:
    """Return a shape as people write it: `16x5x5`, or `84` for a vector."""
    return "x".join(map(str, shape)) or "a single number"


def _conv_weights(shape: Shape, *, out: int, kernel: Pair, groups: int, bias: bool, **_: Any) -> Weights:
    channels = _image(shape)[0]
    if channels % groups or out % groups:
        raise ValueError(f"{groups} groups do not divide {channels} input and {out} output channels")
    return {"weight": (out, channels // groups, *kernel)} | ({"bias": (out,)} if bias else {})


def _linear_weights(shape: Shape, *, out: int, bias: bool) -> Weights:
    if len(shape) != 1:
        raise ValueError(f"it needs a vector, but its input is {describe(shape)}")
    return {"weight": (out, shape[0])} | ({"bias": (out,)} if bias else {})


def _norm_weights(shape: Shape, *, kind: str, groups: int, **_: Any) -> Weights:
    if kind == "group" and shape[0] % groups:
        raise ValueError(f"{groups} groups do not divide {shape[0]} channels")
    names = ("weight", "bias", "running_mean", "running_var") if kind == "batch" else ("weight", "bias")
    return dict.fromkeys(names, shape[:1])


def _affine_weights(shape: Shape) -> Weights:
    channels = _image(shape)[0]
    return {"coefficient": (channels,), "bias": (channels,)}


def _conv_output(
    shape: Shape, *, out: int, kernel: Pair, stride: Pair, padding: str | Pair, dilation: Pair, **_: Any
) -> Shape:
    window = extent(kernel, dilation)
    sides = zip(_image(shape)[1:], window, stride, border(window, padding), strict=True)
    return out, *(
        _positive((size + sum(rim) - window) // step + 1, shape) for size, window, step, rim in sides
    )


def _pool_output(
    shape: Shape, *, window: Pair, kind: str, stride: Pair | None, padding: Pair, ceil: bool
) -> Shape:
    sides = zip(_image(shape)[1:], window, stride or window, padding, strict=True)
    return shape[0], *(_positive(positions(*side, ceil), shape) for side in sides)


def _global_pool_output(shape: Shape, *, kind: str, size: Pair) -> Shape:
    return _image(shape)[0], *size


def _image(shape: Shape) -> tuple[int, int, int]:
    """Return the shape as channels, height and width; refuse a vector."""
    if len(shape) != 3:
        raise ValueError(f"it needs an image, but its input is a vector of {describe(shape)}")
    channels, height, width = shape
    return channels, height, width


def _positive(count: int, shape: Shape) -> int:
    if count < 1:
        raise ValueError(f"its window does not fit the {describe(shape)} input")
    return count


WEIGHTS: dict[str, Callable[..., Weights]] = {
    "conv": _conv_weights,
    "linear": _linear_weights,
    "norm": _norm_weights,
    "affine": _affine_weights,
}
"""The layers that have weights."""

OUTPUTS: dict[str, Callable[..., Shape]] = {
    "conv": _conv_output,
    "pool": _pool_output,
    "global_pool": _global_pool_output,
    "linear": lambda shape, *, out, bias: (out,),
    "flatten": lambda shape: (math.prod(_image(shape)),),
}
"""The layers whose output has another shape than their input."""
