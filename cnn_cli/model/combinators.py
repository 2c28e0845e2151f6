"""The layers that hold layers: one function each, from its parameters to a module and the shape it gives.

A function takes the shape of one input, its site, which builds the chains inside, and plain values. It
raises LayerError where what is inside cannot be put together. The parameters are documented in
`cnn_cli.config.network`. (`repeat` is no module: its layers become part of the chain that it stands in.)
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnn_cli.model.layers import LayerError, Pair, Shape, describe

LayerSpec = tuple[str, dict[str, Any]]
"""A layer's name and its parameters, as plain values."""

Modules = OrderedDict[str, nn.Module]
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
    way = _projection(shape, output) if shortcut is None else shortcut
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
        modules[f"branch{index + 1}"] = nn.Sequential(inside)
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
            f"end it with `linear: {site.classes}`"
        )
    return Auxiliary(modules, weight), shape


def block(shape: Shape, site: Site, *, name: str, layers: Sequence[LayerSpec]) -> Built:
    """The layers, as one module."""
    modules, output = site.chain(layers, shape, "layers")
    return nn.Sequential(modules), output


COMBINATORS: dict[str, Callable[..., Built]] = {
    "residual": residual,
    "parallel": parallel,
    "auxiliary": auxiliary,
    "block": block,
}
"""The function behind each name of the YAML that holds layers."""


class Residual(nn.Sequential):
    """The sum of a chain and of a shortcut around it (He et al. 2015, eq. 1 and 2)."""

    def __init__(self, layers: Modules, shortcut: nn.Sequential) -> None:
        super().__init__(layers)
        self.shortcut = shortcut

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, C, H, W] to the shape of the chain's output."""
        *chain, shortcut = self
        outputs = inputs
        for module in chain:
            outputs = module(outputs)
        summed: Tensor = outputs + shortcut(inputs)
        return summed


class Parallel(nn.Sequential):
    """Branches joined along dimension 1, as in an inception module (Szegedy et al. 2014, figure 2)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, C, H, W] to [N, the sum of the branches' channels, H', W']."""
        return torch.cat([branch(inputs) for branch in self], 1)


class Auxiliary(nn.Sequential):
    """The identity, with a classifier beside the chain in training (Szegedy et al. 2014, section 5).

    The logits wait in `logits` until the loss takes them: a chain passes on one tensor alone.
    """

    def __init__(self, layers: Modules, weight: float) -> None:
        super().__init__(layers)
        self.weight = weight
        self.logits: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape to itself."""
        self.logits = super().forward(inputs) if self.training else None  # type: ignore[no-untyped-call]
        return inputs


def take_auxiliary_logits(network: nn.Module) -> Iterator[tuple[float, Tensor]]:
    """Weight and logits [N, classes] of every auxiliary classifier in the last forward pass of training.

    They are taken, so that the pass's memory is free once its gradients are done.
    """
    for module in network.modules():
        if isinstance(module, Auxiliary) and module.logits is not None:
            logits, module.logits = module.logits, None
            yield module.weight, logits


def _projection(shape: Shape, output: Shape) -> Sequence[LayerSpec]:
    """The shortcut where none is written: nothing between equal shapes, else the paper's option B."""
    if shape == output:
        return ()
    norm: LayerSpec = ("norm", {"kind": "batch", "groups": 1, "eps": 1e-5})
    if len(shape) == len(output) == 1:
        return ("linear", {"out": output[0], "bias": False}), norm
    strides = [_stride(before, after) for before, after in zip(shape[1:], output[1:], strict=False)]
    if len(shape) != len(output) or None in strides:
        raise LayerError(f"no shortcut leads from {describe(shape)} to the {describe(output)} of the layers")
    one: Pair = (1, 1)
    conv = {"out": output[0], "kernel": one, "stride": tuple(strides), "padding": "valid"}
    return ("conv", conv | {"dilation": one, "groups": 1, "bias": False}), norm


def _stride(before: int, after: int) -> int | None:
    """The smallest stride that takes a 1x1 window over `before` pixels to `after` positions."""
    return next((stride for stride in range(1, before + 1) if (before - 1) // stride + 1 == after), None)
