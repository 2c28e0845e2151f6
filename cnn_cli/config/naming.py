"""What a list of layers means before anything is built: its order, its names, and the default shortcut.

The torch network (`cnn_cli.model`) and the NumPy network (`cnn_cli.inference`) both follow these rules, so
the name of a weight is the same in both.
"""

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import Any

LayerSpec = tuple[str, dict[str, Any]]
"""A layer's name and its parameters, as plain values."""

Path = tuple[str | int, ...]
"""The place of a layer in the config, such as ("model", "layers", 4)."""


def unrolled(layers: Sequence[LayerSpec], path: Path = ()) -> Iterator[tuple[Path, LayerSpec]]:
    """Yield the layers with their places; those of a `repeat` come as often as it says."""
    for index, (name, parameters) in enumerate(layers):
        if name != "repeat":
            yield (*path, index), (name, parameters)
            continue
        for _ in range(parameters["times"]):
            yield from unrolled(parameters["layers"], (*path, index, "repeat", "layers"))


def fresh_name(layer: LayerSpec, counts: Counter[str], taken: Container[str]) -> str:
    """Return the layer's name in its chain: `conv2` for the second convolution, `part1` for a block `part`.

    Args:
        layer: the layer.
        counts: how many layers of each name the chain has so far; this one is added.
        taken: the chain's names so far. Where a block's name ends with a digit, the next name may be taken.
    """
    kind, parameters = layer
    name = str(parameters["name"]) if kind == "block" else kind
    while True:
        counts[name] += 1
        if f"{name}{counts[name]}" not in taken:
            return f"{name}{counts[name]}"


def projection(shape: tuple[int, ...], output: tuple[int, ...]) -> Sequence[LayerSpec] | None:
    """Return the layers of a residual's shortcut where none are written, or None where none can lead there.

    Equal shapes need no layers. Else it is option B of He et al. 2015: 1x1 convolution and normalization.
    """
    if shape == output:
        return ()
    norm: LayerSpec = ("norm", {"kind": "batch", "groups": 1, "eps": 1e-5})
    if len(shape) == len(output) == 1:
        return ("linear", {"out": output[0], "bias": False}), norm
    strides = [_stride(before, after) for before, after in zip(shape[1:], output[1:], strict=False)]
    if len(shape) != len(output) or None in strides:
        return None
    one = (1, 1)
    conv = {"out": output[0], "kernel": one, "stride": tuple(strides), "padding": "valid"}
    return ("conv", conv | {"dilation": one, "groups": 1, "bias": False}), norm


def _stride(before: int, after: int) -> int | None:
    """Return the smallest stride that takes a 1x1 window over `before` pixels to `after` positions."""
    return next((stride for stride in range(1, before + 1) if (before - 1) // stride + 1 == after), None)
