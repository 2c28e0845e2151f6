"""From the list of layers to a torch module: shapes are measured, layer by layer,."""

import math
from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cnn_cli.errors import NetworkError
from cnn_cli.model.layers import LAYERS, LayerError, Shape, describe

LayerSpec = tuple[str, dict[str, Any]]
"""A layer's name and its parameters, as plain values."""

MAX_NUMBERS = 2**31
"""Most numbers in one layer's weights or one picture's activations: 8 GB of float32."""


def build_network(layers: Sequence[LayerSpec], input_shape: Shape, classes: int) -> nn.Sequential:
    """Build the network: every shape is known, and the weights are memory that nobody has touched yet.

    Args:
        layers: the chain from the picture to the logits.
        input_shape: (C, H, W) of one input.
        classes: how many logits the last layer must give.

    Returns:
        [N, C, H, W] to logits [N, classes], without values in its weights: `initialise` draws them,
        `load_state_dict` brings them.

    Raises:
        NetworkError: a layer does not fit its input, or the output is not one logit a class.
    """
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    count: Counter[str] = Counter()
    shape = input_shape
    for index, (name, parameters) in enumerate(layers):
        count[name] += 1
        try:
            module = _build_layer(name, parameters, shape)
            shape = measure(module, shape)
        except LayerError as error:
            raise NetworkError(("model", "layers", index, name), str(error)) from None
        modules[f"{name}{count[name]}"] = module
    _check_output(layers, shape, classes)
    return nn.Sequential(modules)


def measure(module: nn.Module, shape: Shape) -> Shape:
    """The shape of one output, without the batch: the module runs on a batch of no pictures.

    torch then knows every shape and computes nothing. (The meta device would do the same, but imports sympy
    and the compiler for it: 1.5 s, longer than a prediction.)

    Raises:
        LayerError: torch refuses the input, or the output is absurdly large.
    """
    was_training = module.training
    try:
        with torch.no_grad():
            outputs: Tensor = module.eval()(torch.empty(0, *shape))
    except RuntimeError as error:
        raise LayerError(f"does not fit the {describe(shape)} input: {str(error).splitlines()[0]}") from None
    finally:
        module.train(was_training)
    measured = tuple(outputs.shape[1:])
    _check_amount(math.prod(measured), "activations")
    return measured


def initialise(network: nn.Module, seed: int) -> None:
    """Draw the weights on the CPU, each layer by torch's own rule; the same seed gives the same bits.

    The global generator, which those rules draw from, is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in network.modules():
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()


def _build_layer(name: str, parameters: dict[str, Any], shape: Shape) -> nn.Module:
    with torch.device("meta"):  # torch draws values for new weights; on this device that costs nothing
        module = LAYERS[name](shape, **parameters)
    _check_amount(sum(parameter.numel() for parameter in module.parameters()), "weights")
    # As `module.to_empty` does it, but that asks the meta device for new tensors, which imports sympy: 0.4 s.
    module._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype))  # type: ignore[no-untyped-call]
    return module


def _check_amount(numbers: int, what: str) -> None:
    if numbers > MAX_NUMBERS:
        raise LayerError(f"would have {numbers:,} {what}, more than the limit of {MAX_NUMBERS:,}")


def _check_output(layers: Sequence[LayerSpec], shape: Shape, classes: int) -> None:
    if shape != (classes,):
        last = len(layers) - 1
        raise NetworkError(
            ("model", "layers", last, layers[last][0]),
            f"the network ends with {describe(shape)}, but the data has {classes} classes: "
            f"end with `linear: {classes}`",
        )
