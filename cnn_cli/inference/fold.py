"""Rewrite a network so that it computes the same in fewer and faster steps.

`simplify` gives a network of the same layers but fewer of them, from which `cnn_cli.export` starts too:

1. Blocks are opened, and layers that do nothing in evaluation are left out.
2. Batch normalization is a scale and a shift of each channel. A convolution or a fully connected layer right
   before it takes them into its weights (Jacob et al. 2017, section 3.2).

`fold` goes on with what is fast in NumPy:

3. Each convolution becomes a fast one, which also does the ReLU right after it, and leaves room around its
   output for the padding of a convolution that comes next.
4. A ReLU that is left writes over its input where nothing else reads that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cnn_cli.inference.activations import dropout, relu
from cnn_cli.inference.arrays import NO_BORDER, Array
from cnn_cli.inference.convolution import conv, flatten, linear
from cnn_cli.inference.fast import FastConv, fast_conv, relu_in_place
from cnn_cli.inference.network import Chain, Layer, Network, Parallel, Residual, Step
from cnn_cli.inference.normalization import affine, norm, scale_and_shift
from cnn_cli.inference.pooling import pool

TILE = 64
"""Images that go through the folded network at a time, which bounds the memory between its layers."""

STATISTICS = ("weight", "bias", "running_mean", "running_var", "eps")
"""What a batch normalization computes with."""

KEEP = {flatten, pool}
"""Layers that may give a view of their input: nothing writes over that."""


def fold(network: Network) -> Network:
    """Return a network that computes the same, to rounding."""
    return replace(network, chain=_fast(simplify(network).chain), tile=TILE)


def simplify(network: Network) -> Network:
    """Return a network that computes the same, to rounding, with fewer layers of the vocabulary."""
    return replace(network, chain=_simple(network.chain))


def _simple(chain: Chain) -> Chain:
    return Chain(chain.name, tuple(_without_norms(list(_opened(chain)))))


def _opened(chain: Chain) -> Iterator[Step]:
    """Yield the chain's steps, those of chains inside among them, and what is inside of others simplified."""
    for step in chain.layers:
        match step:
            case Chain():
                yield from _opened(step)
            case Residual(name, layers, shortcut):
                yield Residual(name, _simple(layers), _simple(shortcut))
            case Parallel(name, branches):
                yield Parallel(name, tuple(map(_simple, branches)))
            case Layer() if step.function is not dropout:
                yield step


def _fast(chain: Chain) -> Chain:
    """Return the simplified chain, and those inside of it, with fast convolutions."""
    steps = [_fast_inside(step) for step in chain.layers]
    return Chain(chain.name, tuple(_with_margins(list(_faster(steps)))))


def _fast_inside(step: Step) -> Step:
    match step:
        case Residual(name, layers, shortcut):
            return Residual(name, _fast(layers), _fast(shortcut))
        case Parallel(name, branches):
            return Parallel(name, tuple(map(_fast, branches)))
    return step


def _without_norms(steps: Sequence[Step]) -> list[Step]:
    """Fold each batch normalization into the layer before it; one that has none becomes a scale and shift."""
    folded: list[Step] = []
    for step in steps:
        if not (isinstance(step, Layer) and step.function is norm and step.arguments["kind"] == "batch"):
            folded.append(step)
            continue
        scale, shift = scale_and_shift(**{name: step.arguments[name] for name in STATISTICS})
        before = folded[-1] if folded else None
        if isinstance(before, Layer) and before.function in (conv, linear):
            folded[-1] = replace(before, arguments=_scaled(before.arguments, scale, shift))
        else:
            folded.append(Layer(step.name, affine, {"coefficient": scale, "bias": shift}))
    return folded


def _scaled(arguments: dict[str, Any], scale: Array, shift: Array) -> dict[str, Any]:
    """Return the arguments of a layer whose outputs are scaled and shifted, channel by channel."""
    weight, bias = arguments["weight"], arguments["bias"]
    each = scale.reshape(-1, *(1,) * (weight.ndim - 1))
    return arguments | {"weight": weight * each, "bias": shift if bias is None else bias * scale + shift}


def _faster(steps: Sequence[Step]) -> Iterator[Step]:
    fused = False
    for place, step in enumerate(steps):
        after = steps[place + 1] if place + 1 < len(steps) else None
        if fused:
            fused = False
        elif isinstance(step, Layer) and step.function is conv:
            fused = _is_relu(after)
            yield Layer(step.name, fast_conv(**step.arguments, relu=fused))
        elif _is_relu(step) and place and _writes(steps[place - 1]):
            yield Layer(step.name, relu_in_place)
        else:
            yield step


def _with_margins(steps: list[Step]) -> list[Step]:
    """Move the border of a convolution that follows another one to the output of that."""
    for place in range(1, len(steps)):
        match steps[place - 1 : place + 1]:
            case [
                Layer(function=FastConv() as before) as first,
                Layer(function=FastConv() as after) as second,
            ]:
                steps[place - 1] = replace(first, function=replace(before, margin=after.border))
                steps[place] = replace(second, function=replace(after, border=NO_BORDER))
    return steps


def _is_relu(step: Step | None) -> bool:
    return isinstance(step, Layer) and step.function is relu


def _writes(step: Step) -> bool:
    """Whether the step's output is an array of its own."""
    return not (isinstance(step, Layer) and step.function in KEEP)
