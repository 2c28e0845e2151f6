"""What each layer of the YAML computes: one function a layer, from its parameters to a torch module.

A function takes the shape of one input without the batch, `(C, H, W)` for pictures or `(units,)` for vectors,
and plain values. It raises LayerError where the layer does not fit that shape. What the parameters mean is
documented in `cnn_cli.config.layers`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]
Pair = tuple[int, int]


class LayerError(ValueError):
    """The layer does not fit its input: one line that names the shapes.

    Args:
        problem: the line.
        inside: the parameter at fault, as keys and indices below the layer.
    """

    def __init__(self, problem: str, *inside: str | int) -> None:
        super().__init__(problem)
        self.inside = inside


def describe(shape: Shape) -> str:
    """A shape as people write it: `16x5x5`, or `84` for a vector."""
    return "x".join(map(str, shape))


def conv(
    shape: Shape,
    *,
    out: int,
    kernel: Pair,
    stride: Pair,
    padding: str | Pair,
    dilation: Pair,
    groups: int,
    bias: bool,
) -> nn.Module:
    """Cross-correlation of (C, H, W) with `out` kernels, as torch and the papers compute it."""
    channels, height, width = _picture(shape)
    if channels % groups or out % groups:
        raise LayerError(
            f"{groups} groups do not divide {channels} input and {out} output channels", "groups"
        )
    window = (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)
    border = _zero_border(window, stride, padding)
    if not isinstance(border, str):
        _check_window(window, border, (height, width), shape)
    return nn.Conv2d(channels, out, kernel, stride, border, dilation, groups, bias)


def pool(
    shape: Shape, *, window: Pair, kind: str, stride: Pair | None, padding: Pair, ceil: bool
) -> nn.Module:
    """Maximum or average of every window of (C, H, W)."""
    _, height, width = _picture(shape)
    if any(2 * border > side for border, side in zip(padding, window, strict=True)):
        raise LayerError(f"padding {describe(padding)} is more than half of the {describe(window)} window")
    _check_window(window, padding, (height, width), shape)
    if kind == "max":
        return nn.MaxPool2d(window, stride, padding, ceil_mode=ceil)
    return nn.AvgPool2d(window, stride, padding, ceil_mode=ceil)


def global_pool(shape: Shape, *, kind: str, size: Pair) -> nn.Module:
    """Maximum or average of as many windows of (C, H, W) as `size` says, as large as that takes."""
    _picture(shape)
    return nn.AdaptiveMaxPool2d(size) if kind == "max" else nn.AdaptiveAvgPool2d(size)


def affine(shape: Shape) -> nn.Module:
    """A trainable coefficient and bias for every channel of (C, H, W)."""
    return ChannelAffine(_picture(shape)[0])


def linear(shape: Shape, *, out: int, bias: bool) -> nn.Module:
    """Weighted sums of a vector."""
    if len(shape) != 1:
        raise LayerError(f"needs a vector, but its input is {describe(shape)}: put `flatten` before it")
    return nn.Linear(shape[0], out, bias=bias)


def flatten(shape: Shape) -> nn.Module:
    """(C, H, W) to (C*H*W,), channel by channel, row by row."""
    _picture(shape)
    return nn.Flatten()


def norm(shape: Shape, *, kind: str, groups: int, eps: float) -> nn.Module:
    """Normalisation over the batch, or over all or a group of the channels of one picture or vector."""
    channels = shape[0]
    if kind == "batch":
        return nn.BatchNorm2d(channels, eps) if len(shape) == 3 else nn.BatchNorm1d(channels, eps)
    parts = groups if kind == "group" else 1
    if channels % parts:
        raise LayerError(f"{groups} groups do not divide {channels} channels", "groups")
    return nn.GroupNorm(parts, channels, eps)


def lrn(shape: Shape, *, size: int, alpha: float, beta: float, k: float) -> nn.Module:
    """Local response normalisation of (C, H, W) over neighbouring channels."""
    _picture(shape)
    return nn.LocalResponseNorm(size, alpha, beta, k)


def dropout(shape: Shape, *, p: float) -> nn.Module:
    """Zero single numbers with probability p in training; the identity in evaluation."""
    return nn.Dropout(p)


def relu(shape: Shape) -> nn.Module:
    """max(0, x)."""
    return nn.ReLU()


def leaky_relu(shape: Shape, *, slope: float) -> nn.Module:
    """max(0, x) + slope min(0, x)."""
    return nn.LeakyReLU(slope)


def gelu(shape: Shape) -> nn.Module:
    """x Phi(x), exactly."""
    return nn.GELU()


def silu(shape: Shape) -> nn.Module:
    """x sigmoid(x)."""
    return nn.SiLU()


def tanh(shape: Shape) -> nn.Module:
    """The hyperbolic tangent."""
    return nn.Tanh()


def scaled_tanh(shape: Shape) -> nn.Module:
    """1.7159 tanh(2x/3)."""
    return ScaledTanh()


def sigmoid(shape: Shape) -> nn.Module:
    """1 / (1 + exp(-x))."""
    return nn.Sigmoid()


LAYERS: dict[str, Callable[..., nn.Module]] = {
    "conv": conv,
    "pool": pool,
    "global_pool": global_pool,
    "affine": affine,
    "linear": linear,
    "flatten": flatten,
    "norm": norm,
    "lrn": lrn,
    "dropout": dropout,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "gelu": gelu,
    "silu": silu,
    "tanh": tanh,
    "scaled_tanh": scaled_tanh,
    "sigmoid": sigmoid,
}
"""The function behind each name of the YAML that computes; `combinators` has those that hold layers."""

NORMALISATION = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
"""Modules that normalise: their parameters are counted apart and never decay."""


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3), so that f(1) = 1 and f(-1) = -1 (LeCun et al. 1998, appendix A)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape to the same shape, values in -1.7159..1.7159."""
        return 1.7159 * torch.tanh(inputs * (2 / 3))


class ChannelAffine(nn.Module):
    """coefficient * x + bias, one pair of numbers a channel (LeCun et al. 1998, section II.B)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Start as the identity."""
        nn.init.ones_(self.coefficient)
        nn.init.zeros_(self.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        return inputs * self.coefficient[:, None, None] + self.bias[:, None, None]


def _picture(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise LayerError(f"needs a picture but its input is a vector of {shape[0]}")
    channels, height, width = shape
    return channels, height, width


def _zero_border(window: Pair, stride: Pair, padding: str | Pair) -> str | Pair:
    """What torch takes as padding. Its own `same` knows stride 1 alone; half an odd window is the same."""
    if padding == "valid":
        return 0, 0
    if padding != "same":
        return padding
    if all(side % 2 for side in window):
        return window[0] // 2, window[1] // 2
    if stride != (1, 1):
        raise LayerError(
            f"padding `same` with stride {describe(stride)} needs an odd kernel, not {describe(window)}"
        )
    return "same"


def _check_window(window: Pair, padding: Pair, size: Pair, shape: Shape) -> None:
    padded = (size[0] + 2 * padding[0], size[1] + 2 * padding[1])
    if window[0] > padded[0] or window[1] > padded[1]:
        border = f" with padding {describe(padding)}" if padding != (0, 0) else ""
        raise LayerError(f"a {describe(window)} window does not fit the {describe(shape)} input{border}")
