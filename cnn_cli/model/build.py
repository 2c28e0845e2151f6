"""From the list of layers to a torch module: shapes are measured, layer by layer."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cnn_cli.config.naming import LayerSpec, Path, fresh_name, unrolled
from cnn_cli.errors import NetworkError
from cnn_cli.model.combinators import COMBINATORS, Built, Site
from cnn_cli.model.fused import Chain
from cnn_cli.model.layers import LAYERS
from cnn_cli.model.modules import Modules
from cnn_cli.model.shapes import LayerError, Shape, describe

MAX_NUMBERS = 2**31
"""Most numbers in one layer's weights or one image's activations: 8 GB of float32."""

MAX_LAYERS = 10_000
"""Most layers of a network: twice ResNet-1202's. `repeat` inside `repeat` grows fast."""


def build_network(layers: Sequence[LayerSpec], input_shape: Shape, classes: int) -> nn.Sequential:
    """Build the network: every shape is known, and the weights are memory that nobody has touched yet.

    Args:
        layers: the chain from the image to the logits.
        input_shape: (C, H, W) of one input.
        classes: how many logits the last layer must give.

    Returns:
        [N, C, H, W] to logits [N, classes], without values in its weights: `initialize` draws them,
        `load_state_dict` brings them.

    Raises:
        NetworkError: a layer does not fit its input, or the output is not one logit a class.
    """
    modules, shape = _Builder(classes).chain_at(("model", "layers"), layers, input_shape)
    _check_output(layers, shape, classes)
    return Chain(modules)


@dataclass
class _Builder:
    """Builds chains, and those inside them; counts what it builds."""

    classes: int
    count: int = 0

    def chain_at(
        self, path: Path, layers: Sequence[LayerSpec], shape: Shape, *inside: str | int
    ) -> tuple[Modules, Shape]:
        """The modules of the chain that is written at `path` and `inside`, and its output's shape."""
        modules, counts = Modules(), Counter[str]()
        for place, (name, parameters) in unrolled(layers, (*path, *inside)):
            module, shape = self._layer_at((*place, name), name, parameters, shape)
            modules[fresh_name((name, parameters), counts, modules)] = module
        return modules, shape

    def _layer_at(self, path: Path, name: str, parameters: dict[str, Any], shape: Shape) -> Built:
        try:
            self._count_layer()
            if name in COMBINATORS:
                return COMBINATORS[name](
                    shape, Site(self.classes, partial(self.chain_at, path)), **parameters
                )
            known = {key: self.classes if value == "classes" else value for key, value in parameters.items()}
            module = _build_layer(name, known, shape)
            return module, measure(module, shape)
        except LayerError as error:
            raise NetworkError((*path, *error.inside), str(error)) from None

    def _count_layer(self) -> None:
        self.count += 1
        if self.count > MAX_LAYERS:
            raise LayerError(f"is layer number {self.count:,}, more than the limit of {MAX_LAYERS:,}")


def measure(module: nn.Module, shape: Shape) -> Shape:
    """The shape of one output, without the batch: the module runs on a batch of no images.

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


def initialize(network: nn.Module, seed: int) -> None:
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
            "end with `linear: classes`",
        )
