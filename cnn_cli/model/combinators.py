"""The layers that contain layers: one function each, from its parameters to a module and its output shape.

A function takes the shape of one input, its site, which builds the chains inside, and plain values. It raises
LayerError if the layers inside do not fit together. The parameters are documented in
`cnn_cli.config.network`. `repeat` has no module: its layers become part of the chain that contains it.
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
    """What the function of a combinator needs besides its parameters."""

    classes: int
    """Number of logits that a classifier must return."""
    chain: Callable[..., tuple[Modules, Shape]]
    """`chain(layers, shape, *inside)` returns the modules of a chain by name, and its output shape. `inside`
    is the place of the chain in the config, as keys and indices below the combinator."""


def residual(
    shape: Shape, site: Site, *, layers: Sequence[LayerSpec], shortcut: Sequence[LayerSpec] | None
) -> Built:
    """Return layers(x) + shortcut(x)."""
    modules, output = site.chain(layers, shape, "layers")
    shortcut_layers = _default_shortcut(shape, output) if shortcut is None else shortcut
    shortcut_modules, shortcut_output = site.chain(shortcut_layers, shape, "shortcut")
    if shortcut_output != output:
        raise LayerError(
            f"the shortcut gives {describe(shortcut_output)}, but the layers give {describe(output)}",
            "shortcut",
        )
    return Residual(modules, nn.Sequential(shortcut_modules)), output


def parallel(shape: Shape, site: Site, *, branches: Sequence[Sequence[LayerSpec]]) -> Built:
    """Return the outputs of all branches for x, concatenated along the channels."""
    modules, shapes = Modules(), []
    for index, branch in enumerate(branches):
        inside, output = site.chain(branch, shape, "branches", index)
        modules[f"branch{index + 1}"] = Chain(inside)
        shapes.append(output)
    if len({output[1:] for output in shapes}) > 1:
        raise LayerError(f"the branches cannot be joined: they give {', '.join(map(describe, shapes))}")
    return Parallel(modules), (sum(output[0] for output in shapes), *shapes[0][1:])


def auxiliary(shape: Shape, site: Site, *, layers: Sequence[LayerSpec], weight: float) -> Built:
    """Return x, and in training also the logits of a classifier beside the chain."""
    modules, output = site.chain(layers, shape, "layers")
    if output != (site.classes,):
        raise LayerError(
            f"the branch ends with {describe(output)}, but the data has {site.classes} classes: "
            "end it with `linear: classes`"
        )
    return Auxiliary(modules, weight), shape


def block(shape: Shape, site: Site, *, name: str, layers: Sequence[LayerSpec]) -> Built:
    """Return the layers as one module."""
    modules, output = site.chain(layers, shape, "layers")
    return Chain(modules), output


COMBINATORS: dict[str, Callable[..., Built]] = {
    function.__name__: function for function in (residual, parallel, auxiliary, block)
}
"""The function for each name of the YAML that contains layers."""


def _default_shortcut(shape: Shape, output: Shape) -> Sequence[LayerSpec]:
    """Return the layers of a shortcut that the config leaves out."""
    layers = projection(shape, output)
    if layers is None:
        raise LayerError(f"no shortcut leads from {describe(shape)} to the {describe(output)} of the layers")
    return layers
