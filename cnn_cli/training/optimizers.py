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

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the odd polynomial by which Muon brings singular values close to 1 (Jordan et al. 2024)."""

ITERATIONS = 5
"""How often Muon applies that polynomial to a matrix."""

ADAM_SIZE = 0.2
"""The root mean square of Muon's step for a learning rate of 1: about that of Adam (Liu et al. 2025)."""


@dataclass(frozen=True)
class Group:
    """Parameters that are updated alike."""

    parameters: list[nn.Parameter]
    weight_decay: float
    are_matrices: bool
    """Whether they are kernels and weight matrices, or biases and the parameters of normalization."""


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
                self._update(Updates(*map(list, zip(*updates, strict=True))), lr, group)

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
    def _update(self, tensors: Updates, lr: float | Tensor, group: Group) -> None:
        """Update the parameters of the group that have a gradient."""


class Sgd(Optimizer):
    """Stochastic gradient descent with momentum."""

    def __init__(self, groups: Sequence[Group], momentum: float) -> None:
        super().__init__(groups, *(["momentum_buffer"] if momentum else []))
        self.momentum = momentum

    @torch.no_grad()
    def _update(self, tensors: Updates, lr: float | Tensor, group: Group) -> None:
        sgd(
            tensors.parameters,
            tensors.gradients,
            [state.get("momentum_buffer") for state in tensors.states],
            lr=lr,
            momentum=self.momentum,
            weight_decay=group.weight_decay,
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
    def _update(self, tensors: Updates, lr: float | Tensor, group: Group) -> None:
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
            weight_decay=group.weight_decay,
            decoupled_weight_decay=self.decoupled,
            amsgrad=False,
            maximize=False,
            fused=True,
        )


class Muon(Adam):
    """Muon: steps along the momentum of a matrix with all its singular values near 1 (Jordan et al. 2024).

    No direction of a matrix learns faster than another one. A kernel is a matrix with a row for each channel
    that it computes. Biases and the parameters of normalization take the steps of AdamW. Both have steps of
    one size, so both have the same learning rate and weight decay (Liu et al. 2025, arXiv 2502.16982).

    Args:
        groups: the parameters.
        betas: decay rates of the running means of the gradient and, for AdamW, of its square.
    """

    def __init__(self, groups: Sequence[Group], betas: tuple[float, float]) -> None:
        super().__init__(groups, betas, decoupled=True)
        are_matrices = [group.are_matrices for group in groups for _ in group.parameters]
        for state, is_matrix in zip(self.state, are_matrices, strict=True):
            if is_matrix:
                del state["exp_avg_sq"], state["step"]

    @torch.no_grad()
    def _update(self, tensors: Updates, lr: float | Tensor, group: Group) -> None:
        if not group.are_matrices:
            super()._update(tensors, lr, group)
            return
        means, beta = tensors.state("exp_avg"), self.betas[0]
        for parameter, gradient, mean in zip(tensors.parameters, tensors.gradients, means, strict=True):
            mean.lerp_(gradient, 1 - beta)
            ahead = gradient.lerp(mean, beta)  # Nesterov's momentum
            step = orthogonalized(ahead.flatten(1))
            size = ADAM_SIZE * max(step.shape) ** 0.5
            parameter.mul_(1 - lr * group.weight_decay)
            parameter.sub_(step.view(parameter.shape) * (lr * size))


def orthogonalized(matrix: Tensor) -> Tensor:
    """Return a matrix [M, N] with the same singular vectors, all of its singular values between 0.6 and 1.3.

    Newton-Schulz iterations with the coefficients of Jordan et al. 2024. Directions with less than about a
    thousandth of the matrix's norm keep smaller values; a matrix of zeros stays as it is.
    """
    a, b, c = NEWTON_SCHULZ
    is_high = matrix.shape[0] > matrix.shape[1]
    wide: Tensor = matrix.T if is_high else matrix
    wide = wide / wide.norm().clamp(min=EPSILON)
    for _ in range(ITERATIONS):
        square = wide @ wide.T
        wide = a * wide + (b * square + c * square @ square) @ wide
    return wide.T if is_high else wide


def build_optimizer(
    network: nn.Module,
    name: str,
    *,
    momentum: float,
    betas: tuple[float, float],
    weight_decay: float,
) -> Optimizer:
    """Return the optimizer `sgd`, `adam`, `adamw` or `muon` over all parameters of the network.

    Only kernels and weight matrices have weight decay: on biases and on the parameters of normalization it
    costs accuracy (He et al. 2018, arXiv 1812.01187, section 3.1).
    """
    matrices, others = _matrices_and_others(network)
    groups = Group(matrices, weight_decay, are_matrices=True), Group(others, 0.0, are_matrices=False)
    if name == "sgd":
        return Sgd(groups, momentum)
    if name == "muon":
        return Muon(groups, betas)
    return Adam(groups, betas, decoupled=name == "adamw")


def _matrices_and_others(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the kernels and weight matrices, and the biases and parameters of normalization."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            is_matrix = parameter.ndim > 1 and not isinstance(module, NORMALIZATION)
            (matrices if is_matrix else others).append(parameter)
    return matrices, others
