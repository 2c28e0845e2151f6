"""The modules that torch does not have, for some layers of the YAML."""

from collections import OrderedDict
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnn_cli.model.shapes import Pair
from cnn_cli.model.windows import corners, stack, tiled

Modules = OrderedDict[str, nn.Module]
"""A chain of modules by name."""

NORMALIZATION = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
"""Modules that normalize. Their parameters are counted separately and have no weight decay."""


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3), so that f(1) = 1 and f(-1) = -1 (LeCun et al. 1998, appendix A)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape to the same shape, values in -1.7159..1.7159."""
        return 1.7159 * torch.tanh(inputs * (2 / 3))


class ChannelAffine(nn.Module):
    """coefficient * x + bias, one pair of numbers for each channel (LeCun et al. 1998, section II.B)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the parameters to the identity."""
        nn.init.ones_(self.coefficient)
        nn.init.zeros_(self.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        return inputs * self.coefficient[:, None, None] + self.bias[:, None, None]


class LocalResponseNorm(nn.Module):
    """x / (k + alpha * mean of x^2 over `size` neighboring channels)^beta.

    Krizhevsky et al. 2012, section 3.3. Channels beyond the first and the last count as zeros. With an even
    `size` the window has one channel more below than above, as in torch. The mean is computed as a 1x1
    convolution with a band matrix, which takes a third of the time of torch's pooling over channels.
    """

    def __init__(self, size: int, alpha: float, beta: float, k: float) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        channel = torch.arange(inputs.shape[1], device=inputs.device)
        distance = channel[None, :] - channel[:, None]
        near = (distance >= -(self.size // 2)) & (distance <= (self.size - 1) // 2)
        band = near[:, :, None, None].to(inputs.dtype) * (self.alpha / self.size)
        return inputs * (self.k + F.conv2d(inputs * inputs, band)).pow(-self.beta)


class Dropout(nn.Dropout):
    """Dropout (Srivastava et al. 2014) as in torch, in a quarter of the time on a CPU.

    There torch draws 53 random bits for each number; 16 bits give the probability to 1/65536.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape to the same shape."""
        if not self.training or inputs.device.type != "cpu":
            outputs: Tensor = super().forward(inputs)
            return outputs
        bits = torch.empty(-(-inputs.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        dropped = min(round(self.p * 2**16), 2**16 - 1) - 2**15
        kept = bits.view(torch.int16)[: inputs.numel()] >= dropped
        layout = torch.empty_like(inputs, device="meta").stride()
        return inputs * kept.to(inputs.dtype).div_(1 - self.p).as_strided(inputs.shape, layout)


class MaxPool(nn.MaxPool2d):
    """The maximum of every window, as in torch; faster on a CPU where no gradient is needed."""

    def __init__(self, window: Pair, stride: Pair | None, padding: Pair, ceil_mode: bool) -> None:
        super().__init__(window, stride, padding, ceil_mode=ceil_mode)
        self.window = window
        self.side_by_side = stride in (None, window) and padding == (0, 0)
        """Whether the windows lie side by side: no overlap, no gap, no padding."""

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, C, H, W] to one number for each window."""
        if inputs.requires_grad or not self.side_by_side or not tiled(inputs, self.window):
            outputs: Tensor = super().forward(inputs)
            return outputs
        return stack(corners(inputs, self.window)).amax(0)


class Residual(nn.Sequential):
    """The sum of a chain's output and a shortcut around it (He et al. 2015, eq. 1 and 2)."""

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

    A chain passes on a single tensor, so the logits stay in `logits` until the loss takes them.
    """

    def __init__(self, layers: Modules, weight: float) -> None:
        super().__init__(layers)
        self.weight = weight
        self.logits: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape to the same values."""
        self.logits = super().forward(inputs) if self.training else None  # type: ignore[no-untyped-call]
        return inputs


def take_auxiliary_logits(network: nn.Module) -> Iterator[tuple[float, Tensor]]:
    """Yield weight and logits [N, classes] of every auxiliary classifier in the last training pass.

    The logits are removed from their modules, so that their memory is freed after the backward pass.
    """
    for module in network.modules():
        if isinstance(module, Auxiliary) and module.logits is not None:
            logits, module.logits = module.logits, None
            yield module.weight, logits
