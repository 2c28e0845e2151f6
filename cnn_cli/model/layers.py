"""One function for each layer of the YAML: from its parameters to a torch module.

A function takes the shape of one input without the batch dimension, `(C, H, W)` for images or `(units,)` for
vectors, and plain values. It raises LayerError if the layer does not fit that shape. The parameters are
documented in `cnn_cli.config.layers`.
"""

import warnings
from collections.abc import Callable

from torch import nn

from cnn_cli.model.modules import ChannelAffine, Dropout, LocalResponseNorm, MaxPool, ScaledTanh
from cnn_cli.model.shapes import LayerError, Pair, Shape, check_window, describe, image_of, zero_border


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
    """Return the cross-correlation of (C, H, W) with `out` kernels, as torch and the papers compute it."""
    channels, height, width = image_of(shape)
    if channels % groups or out % groups:
        raise LayerError(
            f"{groups} groups do not divide {channels} input and {out} output channels", "groups"
        )
    window = (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)
    border = zero_border(window, stride, padding)
    if isinstance(border, str):
        # torch warns when it pads an even kernel; nobody can do anything about that.
        warnings.filterwarnings("ignore", message="Using padding='same' with even kernel")
    else:
        check_window(window, border, (height, width), shape)
    return nn.Conv2d(channels, out, kernel, stride, border, dilation, groups, bias)


def pool(
    shape: Shape, *, window: Pair, kind: str, stride: Pair | None, padding: Pair, ceil: bool
) -> nn.Module:
    """Return the maximum or average of every window of (C, H, W)."""
    _, height, width = image_of(shape)
    if any(2 * border > side for border, side in zip(padding, window, strict=True)):
        raise LayerError(f"padding {describe(padding)} is more than half of the {describe(window)} window")
    check_window(window, padding, (height, width), shape)
    if kind == "max":
        return MaxPool(window, stride, padding, ceil)
    return nn.AvgPool2d(window, stride, padding, ceil_mode=ceil)


def global_pool(shape: Shape, *, kind: str, size: Pair) -> nn.Module:
    """Return the maximum or average of `size` windows that cover (C, H, W)."""
    image_of(shape)
    return nn.AdaptiveMaxPool2d(size) if kind == "max" else nn.AdaptiveAvgPool2d(size)


def affine(shape: Shape) -> nn.Module:
    """Return a trainable coefficient and bias for every channel of (C, H, W)."""
    return ChannelAffine(image_of(shape)[0])


def linear(shape: Shape, *, out: int, bias: bool) -> nn.Module:
    """Return weighted sums of a vector."""
    if len(shape) != 1:
        raise LayerError(f"needs a vector, but its input is {describe(shape)}: put `flatten` before it")
    return nn.Linear(shape[0], out, bias=bias)


def flatten(shape: Shape) -> nn.Module:
    """Return (C, H, W) as (C*H*W,), channel by channel, row by row."""
    image_of(shape)
    return nn.Flatten()


def norm(shape: Shape, *, kind: str, groups: int, eps: float) -> nn.Module:
    """Return the normalization over the batch, or over all or a group of the channels of one example."""
    channels = shape[0]
    if kind == "batch":
        return nn.BatchNorm2d(channels, eps) if len(shape) == 3 else nn.BatchNorm1d(channels, eps)
    parts = groups if kind == "group" else 1
    if channels % parts:
        raise LayerError(f"{groups} groups do not divide {channels} channels", "groups")
    return nn.GroupNorm(parts, channels, eps)


def lrn(shape: Shape, *, size: int, alpha: float, beta: float, k: float) -> nn.Module:
    """Return local response normalization of (C, H, W) over neighboring channels."""
    image_of(shape)
    return LocalResponseNorm(size, alpha, beta, k)


def dropout(shape: Shape, *, p: float) -> nn.Module:
    """Return dropout: zeros single numbers with probability p in training; the identity in evaluation."""
    return Dropout(p)


def relu(shape: Shape) -> nn.Module:
    """Return max(0, x)."""
    return nn.ReLU()


def leaky_relu(shape: Shape, *, slope: float) -> nn.Module:
    """Return max(0, x) + slope min(0, x)."""
    return nn.LeakyReLU(slope)


def gelu(shape: Shape) -> nn.Module:
    """Return x Phi(x), exact (no approximation of Phi)."""
    return nn.GELU()


def silu(shape: Shape) -> nn.Module:
    """Return x sigmoid(x)."""
    return nn.SiLU()


def tanh(shape: Shape) -> nn.Module:
    """Return the hyperbolic tangent."""
    return nn.Tanh()


def scaled_tanh(shape: Shape) -> nn.Module:
    """Return 1.7159 tanh(2x/3)."""
    return ScaledTanh()


def sigmoid(shape: Shape) -> nn.Module:
    """Return 1 / (1 + exp(-x))."""
    return nn.Sigmoid()


LAYERS: dict[str, Callable[..., nn.Module]] = {
    function.__name__: function
    for function in (
        *(conv, pool, global_pool, affine, linear, flatten, norm, lrn, dropout),
        *(relu, leaky_relu, gelu, silu, tanh, scaled_tanh, sigmoid),
    )
}
"""The function for each layer name of the YAML; `combinators` has those of layers that contain layers."""
