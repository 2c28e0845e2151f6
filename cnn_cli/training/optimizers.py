"""The optimizers, and which parameters have weight decay.

torch's optimizer classes import the compiler when an object is created, which takes as long as `import
torch`. The functions that they call do not: each call updates a group of parameters with one fused kernel.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from cnn_cli.model.modules import NORMALIZATION

EPSILON = 1e-8
"""Added to the root of the mean square by Adam (Kingma & Ba 2015)."""


@dataclass(frozen=True)
class Group:
    """Parameters with the same weight decay."""

    parameters: list[nn.Parameter]
    weight_decay: float


class Updates(NamedTuple):
    """The parameters of a group that have a gradient, as lists of equal length."""

    parameters: list[Tensor]
    gradients: list[Tensor]
    states: list[dict[str, Tensor]]

    def state(self, name: str) -> list[Tensor]:
        """Return the running means of that name."""
        return [state[name] for state in self.states]


class Optimizer(ABC):
    """An optimizer over groups of parameters. `state` holds the running means of each parameter.

    Args:
        groups: the parameters; they are numbered in this order.
        state: names of the running means. Each has the shape and the memory layout of its parameter, since
        fused
            kernels read both in memory order.
    """

    def __init__(self, groups: Sequence[Group], *state: str) -> None:
        self.groups = groups
        self.parameters = [parameter for group in groups for parameter in group.parameters]
        self.state: list[dict[str, Tensor]] = [
            {name: torch.zeros_like(parameter) for name in state} for parameter in self.parameters
        ]

    def step(self, lr: float | Tensor) -> None:
        """Take one step against the gradients; parameters without a gradient stay unchanged.

        Args:
            lr: the learning rate; a tensor on the device of the parameters in a recorded step.
        """
        start = 0
        for group in self.groups:
            numbered = enumerate(group.parameters, start)
            updates = [(p, p.grad, self.state[index]) for index, p in numbered if p.grad is not None]
            start += len(group.parameters)
            if updates:
                self._update(Updates(*map(list, zip(*updates, strict=True))), lr, group.weight_decay)

    def zero_grad(self) -> None:
        """Remove the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def load(self, state: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Load the state of each parameter, by its number.

        Raises:
            KeyError, RuntimeError: the state is from another network or optimizer.
        """
        for index, values in enumerate(self.state):
            for name, value in values.items():
                if state[index][name].shape != value.shape:
                    raise RuntimeError(f"the optimizer's {name} of parameter {index} has another shape")
                value.copy_(state[index][name])

    @abstractmethod
    def _update(self, tensors: Updates, lr: float | Tensor, weight_decay: float) -> None:
        """Update the parameters of one group."""


class Sgd(Optimizer):
    """Stochastic gradient descent with momentum."""

    def __init__(self, groups: Sequence[Group], momentum: float) -> None:
        super().__init__(groups, *(["momentum_buffer"] if momentum else []))
        self.momentum = momentum

    @torch.no_grad()
    def _update(self, tensors: Updates, lr: float | Tensor, weight_decay: float) -> None:
        sgd(
            tensors.parameters,
            tensors.gradients,
            [state.get("momentum_buffer") for state in tensors.states],
            lr=lr,
            momentum=self.momentum,
            weight_decay=weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            fused=True,
        )


class Adam(Optimizer):
    """Adam: steps from running means of the gradient and its square (Kingma & Ba 2015, arXiv 1412.6980).

    Args:
        groups: the parameters.
        betas: decay rates of the two running means.
        decoupled: whether weight decay is a separate step: AdamW (Loshchilov & Hutter 2019, arXiv
        1711.05101).
    """

    def __init__(self, groups: Sequence[Group], betas: tuple[float, float], *, decoupled: bool) -> None:
        super().__init__(groups, "exp_avg", "exp_avg_sq")
        for parameter, state in zip(self.parameters, self.state, strict=True):
            state["step"] = torch.zeros((), device=parameter.device)
        self.betas, self.decoupled = betas, decoupled

    @torch.no_grad()
    def _update(self, tensors: Updates, lr: float | Tensor, weight_decay: float) -> None:
        adam(
            tensors.parameters,
            tensors.gradients,
            tensors.state("exp_avg"),
            tensors.state("exp_avg_sq"),
            [],
            tensors.state("step"),
            lr=lr,
            beta1=self.betas[0],
            beta2=self.betas[1],
            eps=EPSILON,
            weight_decay=weight_decay,
            decoupled_weight_decay=self.decoupled,
            amsgrad=False,
            maximize=False,
            fused=True,
        )


def build_optimizer(
    network: nn.Module,
    name: str,
    *,
    momentum: float,
    betas: tuple[float, float],
    weight_decay: float,
) -> Optimizer:
    """Return the optimizer `sgd`, `adam` or `adamw` over all parameters of the network.

    Only kernels and weight matrices have weight decay: on biases and on the parameters of normalization it
    costs accuracy (He et al. 2018, arXiv 1812.01187, section 3.1).
    """
    decayed, not_decayed = _by_decay(network)
    groups = Group(decayed, weight_decay), Group(not_decayed, 0.0)
    return Sgd(groups, momentum) if name == "sgd" else Adam(groups, betas, decoupled=name == "adamw")


def _by_decay(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the parameters with weight decay (kernels, matrices) and without (biases, normalization)."""
    decayed: list[nn.Parameter] = []
    not_decayed: list[nn.Parameter] = []
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            decays = parameter.ndim > 1 and not isinstance(module, NORMALIZATION)
            (decayed if decays else not_decayed).append(parameter)
    return decayed, not_decayed
