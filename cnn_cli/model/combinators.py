"""The layers that hold layers: one function each, from its parameters to a module and the shape it gives.

A function takes the shape of one input, its site, which builds the chains inside, and plain values. It
raises LayerError where what is inside cannot be put together. The parameters are documented in
`cnn_cli.config.network`. (`repeat` is no module: its layers become part of the chain that it stands in.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from cnn_cli.config.naming import LayerSpec, projection
from cnn_cli.model.fused import Chain
from cnn_cli.model.modules import Auxiliary, Modules, Parallel, Residual
from cnn_cli.model.shapes import LayerError, Shape, describe

Built = tuple[nn.Module, Shape]


@dataclass(frozen=True)
class Site:
    """Where a combinator stands: what its function needs beside the parameters."""

    classes: int
    """How many logits a classifier must give."""
    chain: Callable[..., tuple[Modules, Shape]]
    """`chain(layers, shape, *inside)`: the modules of a chain by name, and its output's shape; `inside` is
    where the chain is written, as keys and indices below the combinator."""


def residual(
    shape: Shape, site: Site, *, layers: Sequence[LayerSpec], shortcut: Sequence[LayerSpec] | None
) -> Built:
    """layers(x) + shortcut(x)."""
    modules, output = site.chain(layers, shape, "layers")
    way = _shortcut(shape, output) if shortcut is None else shortcut
    around, beside = site.chain(way, shape, "shortcut")
    if beside != output:
        raise LayerError(
            f"the shortcut gives {describe(beside)}, but the layers give {describe(output)}", "shortcut"
        )
    return Residual(modules, nn.Sequential(around)), output


def parallel(shape: Shape, site: Site, *, branches: Sequence[Sequence[LayerSpec]]) -> Built:
    """All branches of x, joined along the channels."""
    modules, shapes = Modules(), []
    for index, branch in enumerate(branches):
        inside, output = site.chain(branch, shape, "branches", index)
        modules[f"branch{index + 1}"] = Chain(inside)
        shapes.append(output)
    if len({output[1:] for output in shapes}) > 1:
        raise LayerError(f"the branches cannot be joined: they give {', '.join(map(describe, shapes))}")
    return Parallel(modules), (sum(output[0] for output in shapes), *shapes[0][1:])


def auxiliary(shape: Shape, site: Site, *, layers: Sequence[LayerSpec], weight: float) -> Built:
    """x, and in training the logits of a classifier beside the chain."""
    modules, output = site.chain(layers, shape, "layers")
    if output != (site.classes,):
        raise LayerError(
            f"the branch ends with {describe(output)}, but the data has {site.classes} classes: "
            "end it with `linear: classes`"
        )
    return Auxiliary(modules, weight), shape


def block(shape: Shape, site: Site, *, name: str, layers: Sequence[LayerSpec]) -> Built:
    """The layers, as one module."""
    modules, output = site.chain(layers, shape, "layers")
    return Chain(modules), output


COMBINATORS: dict[str, Callable[..., Built]] = {
    function.__name__: function for function in (residual, parallel, auxiliary, block)
}
"""The function behind each name of the YAML that holds layers."""


def _shortcut(shape: Shape, output: Shape) -> Sequence[LayerSpec]:
    """The shortcut where none is written."""
    layers = projection(shape, output)
    if layers is None:
        raise LayerError(f"no shortcut leads from {describe(shape)} to the {describe(output)} of the layers")
    return layers
