"""From the list of layers to a torch module; the shape after each layer is measured."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from cnn_cli.config.budget import Budget, BudgetError
from cnn_cli.config.naming import LayerSpec, Path, fresh_name, unrolled
from cnn_cli.errors import NetworkError
from cnn_cli.model.combinators import COMBINATORS, Built, Site
from cnn_cli.model.fused import Chain
from cnn_cli.model.layers import LAYERS
from cnn_cli.model.modules import Modules
from cnn_cli.model.shapes import LayerError, Shape, describe


def build_network(
    layers: Sequence[LayerSpec], input_shape: Shape, classes: int, *, per_column: bool = False
) -> nn.Sequential:
    """Build the network. Its weights are uninitialized memory.

    Args:
        layers: the chain from the image to the logits.
        input_shape: (C, H, W) of one input.
        classes: number of logits that the last layer must return.
        per_column: whether it returns them for each column of the image.

    Returns:
        A module from [N, C, H, W] to logits [N, classes], or [N, classes, 1, W'] for each of W' columns.
        `initialize` or `load_state_dict` sets its weights.

    Raises:
        NetworkError: a layer does not fit its input, the network is beyond the budget of
            `cnn_cli.config.budget`, or the output is not one logit for each class.
    """
    modules, shape = _Builder(classes, per_column).chain_at(("model", "layers"), layers, input_shape)
    _check_output(layers, shape, classes, per_column)
    return Chain(modules)


@dataclass
class _Builder:
    """Builder of chains and of the chains inside them."""

    classes: int
    per_column: bool = False
    budget: Budget = field(default_factory=Budget)

    def chain_at(
        self, path: Path, layers: Sequence[LayerSpec], shape: Shape, *inside: str | int
    ) -> tuple[Modules, Shape]:
        """Build the chain at `path` and `inside` in the config; return its modules and its output shape."""
        modules, counts = Modules(), Counter[str]()
        for place, (name, parameters) in unrolled(layers, (*path, *inside)):
            module, shape = self._layer_at((*place, name), name, parameters, shape)
            modules[fresh_name((name, parameters), counts, modules)] = module
        return modules, shape

    def _layer_at(self, path: Path, name: str, parameters: dict[str, Any], shape: Shape) -> Built:
        try:
            self.budget.add_layer()
            if name == "auxiliary" and self.per_column:
                raise LayerError("is for networks that read single images, not lines")
            if name in COMBINATORS:
                return COMBINATORS[name](
                    shape, Site(self.classes, partial(self.chain_at, path)), **parameters
                )
            known = {key: self.classes if value == "classes" else value for key, value in parameters.items()}
            module = _build_layer(name, known, shape, self.budget)
            output = measure(module, shape)
            self.budget.add_activations(math.prod(output))
            return module, output
        except LayerError as error:
            raise NetworkError((*path, *error.inside), str(error)) from None
        except BudgetError as error:
            raise NetworkError(path, str(error)) from None


def measure(module: nn.Module, shape: Shape) -> Shape:
    """Return the shape of one output without the batch dimension, by running the module on an empty batch.

    torch then works out every shape and computes nothing. The meta device would do the same, but importing
    sympy and the compiler for it takes 1.5 s.

    Raises:
        LayerError: torch rejects the input.
    """
    was_training = module.training
    try:
        with torch.no_grad():
            outputs: Tensor = module.eval()(torch.empty(0, *shape))
    except RuntimeError as error:
        raise LayerError(f"does not fit the {describe(shape)} input: {str(error).splitlines()[0]}") from None
    finally:
        module.train(was_training)
    return tuple(outputs.shape[1:])


def initialize(network: nn.Module, seed: int) -> None:
    """Draw the weights on the CPU, each layer by torch's default rule. The same seed gives the same bits.

    These rules draw from the global generator; its state is restored afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in network.modules():
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()


def _build_layer(name: str, parameters: dict[str, Any], shape: Shape, budget: Budget) -> nn.Module:
    with torch.device("meta"):  # torch draws values for new weights, which costs nothing on this device
        module = LAYERS[name](shape, **parameters)
    budget.add_weights(sum(parameter.numel() for parameter in module.parameters()))
    # Like `module.to_empty`, which would create tensors on the meta device and import sympy for that: 0.4 s.
    module._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype))  # type: ignore[no-untyped-call]
    return module


def _check_output(layers: Sequence[LayerSpec], shape: Shape, classes: int, per_column: bool) -> None:
    last = len(layers) - 1
    place = ("model", "layers", last, layers[last][0])
    if per_column and (len(shape) != 3 or shape[:2] != (classes, 1)):
        raise NetworkError(
            place,
            f"the network ends with {describe(shape)}, but lines need {classes}x1xW, a score for each class "
            "and the blank in each column: reduce the height to 1 and end with "
            "`conv: {out: classes, kernel: 1}`",
        )
    if not per_column and shape != (classes,):
        raise NetworkError(
            place,
            f"the network ends with {describe(shape)}, but the data has {classes} classes: "
            "end with `linear: classes`",
        )
