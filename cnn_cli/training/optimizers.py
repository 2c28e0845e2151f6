"""Optimizers: which parameters decay, and how gradients become steps.

torch's classes import the compiler when one is made, which takes as long as `import torch` itself. The
functions behind them do not: each call steps through a whole group of parameters with one fused kernel.
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
    """Parameters with one weight decay."""

    parameters: list[nn.Parameter]
    weight_decay: float


class Moving(NamedTuple):
    """What has a gradient: lists of equal length."""

    parameters: list[Tensor]
    gradients: list[Tensor]
    states: list[dict[str, Tensor]]

    def state(self, name: str) -> list[Tensor]:
        """The running means of that name."""
        return [state[name] for state in self.states]


class Optimizer(ABC):
    """Steps of all parameters. `state` has the running means of each: equal states go on alike.

    Args:
        groups: the parameters; they are numbered in this order.
        state: names of the running means, each shaped and laid out like its parameter: fused kernels read
            both in memory order.
    """

    def __init__(self, groups: Sequence[Group], *state: str) -> None:
        self.groups = groups
        self.parameters = [parameter for group in groups for parameter in group.parameters]
        self.state: list[dict[str, Tensor]] = [
            {name: torch.zeros_like(parameter) for name in state} for parameter in self.parameters
        ]

    def step(self, lr: float) -> None:
        """One step against the gradients; parameters without one stay where they are."""
        start = 0
        for group in self.groups:
            numbered = enumerate(group.parameters, start)
            moving = [(p, p.grad, self.state[index]) for index, p in numbered if p.grad is not None]
            start += len(group.parameters)
            if moving:
                self._update(Moving(*map(list, zip(*moving, strict=True))), lr, group.weight_decay)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def load(self, state: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Go on with the state of each parameter, by its number.

        Raises:
            KeyError, RuntimeError: it is of another network or optimizer.
        """
        for index, values in enumerate(self.state):
            for name, value in values.items():
                if state[index][name].shape != value.shape:
                    raise RuntimeError(f"the optimizer's {name} of parameter {index} has another shape")
                value.copy_(state[index][name])

    @abstractmethod
    def _update(self, tensors: Moving, lr: float, weight_decay: float) -> None:
        """Step through one group."""


class Sgd(Optimizer):
    """Gradient descent; each step carries on `momentum` of the last one."""

    def __init__(self, groups: Sequence[Group], momentum: float) -> None:
        super().__init__(groups, *(["momentum_buffer"] if momentum else []))
        self.momentum = momentum

    @torch.no_grad()
    def _update(self, tensors: Moving, lr: float, weight_decay: float) -> None:
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
    """Steps scaled by running means of the gradient and of its square (Kingma & Ba 2015, arXiv 1412.6980).

    Args:
        groups: the parameters.
        betas: decay of the two running means.
        decoupled: weight decay as a step of its own: AdamW (Loshchilov & Hutter 2019, arXiv 1711.05101).
    """

    def __init__(self, groups: Sequence[Group], betas: tuple[float, float], *, decoupled: bool) -> None:
        super().__init__(groups, "exp_avg", "exp_avg_sq")
        for parameter, state in zip(self.parameters, self.state, strict=True):
            state["step"] = torch.zeros((), device=parameter.device)
        self.betas, self.decoupled = betas, decoupled

    @torch.no_grad()
    def _update(self, tensors: Moving, lr: float, weight_decay: float) -> None:
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
    """The optimizer `sgd`, `adam` or `adamw` over all parameters of the network.

    Weight decay pulls on kernels and weight matrices alone: pulling biases or a normalization's scale to zero
    only costs accuracy (He et al. 2018, arXiv 1812.01187, section 3.1).
    """
    decaying, free = _parts(network)
    groups = Group(decaying, weight_decay), Group(free, 0.0)
    return Sgd(groups, momentum) if name == "sgd" else Adam(groups, betas, decoupled=name == "adamw")


def _parts(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters that decay (kernels, matrices), and those that do not (biases, normalization)."""
    decaying: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            decays = parameter.ndim > 1 and not isinstance(module, NORMALIZATION)
            (decaying if decays else free).append(parameter)
    return decaying, free
